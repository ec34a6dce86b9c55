"""Metrics that tenants and their tools send in: named series of points in time."""

from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from control.records import TenantRecord


class MetricSeries(TenantRecord):
    """One name with one set of labels; `labels_key` is their canonical JSON."""

    name = fields.CharField(max_length=100)
    labels: Any = fields.JSONField(default=dict)
    labels_key = fields.CharField(max_length=2000)

    class Meta:
        table = "metric_series"
        unique_together = (("organization_id", "name", "labels_key"),)


class MetricPoint(Model):
    id = fields.BigIntField(primary_key=True)
    series: fields.ForeignKeyRelation[MetricSeries] = fields.ForeignKeyField(
        "models.MetricSeries", related_name=False, on_delete=fields.CASCADE
    )
    series_id: UUID
    at = fields.DatetimeField()
    value = fields.FloatField()

    class Meta:
        table = "metric_points"
        indexes = (("series_id", "at"),)
