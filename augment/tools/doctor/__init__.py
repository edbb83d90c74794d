"""Finds out why augmentation is slow and how to fix it: diagnose(pipeline, loader), or python -m augment doctor."""

from augment.tools.doctor.diagnosis import diagnose
from augment.tools.doctor.findings import Finding, Report

__all__ = ["Finding", "Report", "diagnose"]
