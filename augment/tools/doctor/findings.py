"""The doctor's report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

SLOW, NOTE = "slow", "note"


@dataclass(frozen=True)
class Finding:
    """One observation about a pipeline or its loader.

    Attributes:
        topic: device, batch, sync, compile, workers, augmentation, network, memory or mode.
        level: "slow" if it certainly costs speed, "note" if it may.
        what: the observation, and where it was made.
        remedy: how to fix it.
    """

    topic: str
    level: str
    what: str
    remedy: str


@dataclass
class Report:
    """Findings, and the figures behind them."""

    findings: list[Finding] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def add(self, topic: str, level: str, what: str, remedy: str) -> None:
        self.findings.append(Finding(topic, level, what, remedy))

    def topics(self, level: str = SLOW) -> set[str]:
        return {finding.topic for finding in self.findings if finding.level == level}

    def plain(self) -> dict[str, Any]:
        return {"figures": self.figures, "findings": [asdict(finding) for finding in self.findings]}

    def __str__(self) -> str:
        lines = [f"{name}: {value}" for name, value in self.figures.items()]
        for finding in sorted(self.findings, key=lambda f: f.level != SLOW):
            lines += ["", f"[{finding.level}] {finding.topic}: {finding.what}", f"    -> {finding.remedy}"]
        if not self.topics():
            lines += ["", "No problems found."]
        return "\n".join(lines)
