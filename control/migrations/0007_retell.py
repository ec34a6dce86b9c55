from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("models", "0006_branding")]

    initial = False

    operations = []
