from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("models", "0003_billing")]

    initial = False

    operations = []
