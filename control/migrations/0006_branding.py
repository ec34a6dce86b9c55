from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("models", "0005_observability")]

    initial = False

    operations = []
