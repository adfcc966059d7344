"""A pytest plugin for CI, `-p tests.no_skips`: a skipped test fails the run.

Elsewhere a test may skip when a service is missing. In CI everything is there, so a skip
means that something is not tested which was meant to be.
"""

from __future__ import annotations

import pytest


class NoSkips:
    """Collects every skip of a run, those of pytest-xdist's workers included."""

    def __init__(self) -> None:
        self.skipped: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # an expected failure is reported as a skip, too
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped[report.nodeid] = _reason(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.skipped[report.nodeid] = _reason(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.skipped:
            return
        terminalreporter.section("skipped, which fails the run here", red=True)
        for name, reason in sorted(self.skipped.items()):
            terminalreporter.line(f"{name}: {reason}")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a test was skipped: a skip's report holds file, line and reason."""
    told = report.longrepr
    return str(told[2]).removeprefix("Skipped: ") if isinstance(told, tuple) else str(told)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(NoSkips(), "earshot-no-skips")
