from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("models", "0004_compliance")]

    initial = False

    operations = []
