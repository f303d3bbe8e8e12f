"""``report.html``: one file that says how good a run is to someone who did not train it.

``render_report(ReportData(…))`` gives the page as text. Nothing here reads a run or a file of one:
whoever has the numbers fills in a ``ReportData``, of which all but the title may be left out.
"""

from clx.ml.report.data import Comparison, DataSummary, Finding, ReportData, Section
from clx.ml.report.page import render_report

__all__ = ["Comparison", "DataSummary", "Finding", "ReportData", "Section", "render_report"]
