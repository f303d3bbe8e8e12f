"""``report.html``: one file that shows how good a run is to someone who did not train it.

``render_report(ReportData(…))`` returns the page as text. This package reads neither runs nor their
files: the caller fills in a ``ReportData``, in which only the title is required.
"""

from clx.ml.report.data import Comparison, DataSummary, Finding, ReportData, Section
from clx.ml.report.page import render_report

__all__ = ["Comparison", "DataSummary", "Finding", "ReportData", "Section", "render_report"]
