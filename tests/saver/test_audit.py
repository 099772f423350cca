"""The audit by betting: few false alarms, quick true ones, and the waves in doubt."""

import random
from math import comb

from batchdrop.saver.audit import RISK, Audit

AUDITS, ROWS = 30, 100  # 3 % of 100,000 rows


def _alarm(share: float, seed: int, *, worse_from: int = AUDITS, worse: float = 0.0) -> tuple[Audit, int | None]:
    """Return an audit after all waves, and the wave of its alarm."""
    draw, audit = random.Random(seed), Audit(0.98, AUDITS)
    for wave in range(AUDITS):
        chance = share if wave < worse_from else worse
        if audit.add(sum(draw.random() < chance for _ in range(ROWS)), ROWS):
            return audit, wave
    return audit, None


def test_false_alarms_are_rare() -> None:
    """A plan that disagrees on exactly 2 % of the rows is stopped in at most 5 % of jobs."""
    alarms = sum(_alarm(0.02, seed)[1] is not None for seed in range(200))

    assert alarms / 200 <= RISK


def test_evidence_of_a_kept_promise_grows_by_one_an_audit() -> None:
    """E[M] is the number of audits, at the edge of the promise: so a bet has no advantage."""
    audit = Audit(0.98, 1)
    expected = 0.0
    for wrong in range(21):
        audit.evidence = 0.0
        audit.add(wrong, 20)
        expected += comb(20, wrong) * 0.02**wrong * 0.98 ** (20 - wrong) * audit.evidence
    assert abs(expected - 1) < 1e-9


def test_a_bad_plan_is_stopped_soon() -> None:
    """Four times the disagreements: the median alarm comes in the third wave or before."""
    waves = sorted(wave for seed in range(101) if (wave := _alarm(0.08, seed)[1]) is not None)

    assert len(waves) == 101
    assert waves[50] <= 2


def test_waves_in_doubt_begin_with_the_drift() -> None:
    """After wave 15 the plan gets worse: mostly, these waves are listed, and none much earlier."""
    firsts = []
    for seed in range(50):
        audit, wave = _alarm(0.005, seed, worse_from=15, worse=0.1)
        assert wave is not None
        assert audit.in_doubt.stop == wave + 1
        firsts.append(audit.in_doubt.start)
    assert all(13 <= first <= 17 for first in firsts)


def test_an_alarm_stays() -> None:
    """Waves after the alarm change nothing."""
    audit = Audit(0.98, 10)
    assert audit.add(100, 100)
    evidence = audit.evidence
    assert audit.add(0, 1000)
    assert audit.evidence == evidence
    assert list(audit.in_doubt) == [0]
