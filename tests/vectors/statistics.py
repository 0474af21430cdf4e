"""Writes statistics.json: what the estimators of src/statistics must give.

Everything is computed from the definitions with SciPy and statsmodels, and by other ways than the Rust code takes
where there are any: bounds by root finding instead of closed forms, permutations by listing them, tests and
adjustments from the libraries.

    pip install scipy statsmodels && python tests/vectors/statistics.py
"""

import itertools
import json
import math
from pathlib import Path

import numpy as np
from scipy import optimize, stats
from statsmodels.stats.anova import AnovaRM
from statsmodels.stats.contingency_tables import cochrans_q, mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
import pandas

LEVEL = 0.95


def wilson(p, n, z):
    """The p0 at which the score test rejects just so: (p - p0)^2 = z^2 p0 (1 - p0) / n."""
    score = lambda p0: (p - p0) ** 2 - z * z * p0 * (1 - p0) / n
    # At 0 and 1 one of the two roots is the share itself.
    lower = 0.0 if p == 0 else optimize.brentq(score, 0, min(p, 1 - 1e-12), xtol=1e-15)
    upper = 1.0 if p == 1 else optimize.brentq(score, max(p, 1e-12), 1, xtol=1e-15)
    return lower, upper


def family_shares(questions, arm):
    families = {}
    for question in questions:
        mentions, silent, _ = question[arm]
        families.setdefault(question["family"], []).append((mentions / (mentions + silent), mentions + silent))
    names = sorted(families)
    return np.array([np.mean([x for x, _ in families[f]]) for f in names]), sum(k for f in names for _, k in families[f])


def effective(x, answers):
    p, se = x.mean(), stats.sem(x)
    if np.ptp(x) < 1e-12 or p in (0.0, 1.0):
        return float(len(x))
    return float(np.clip(p * (1 - p) / se**2, 1, answers))


def rate(x, answers, level=LEVEL):
    t = stats.t.ppf((1 + level) / 2, len(x) - 1)
    z = stats.norm.ppf((1 + level) / 2)
    return wilson(x.mean(), effective(x, answers) * (z / t) ** 2, z)


def korn_graubard(x, answers):
    t, z = stats.t.ppf(0.975, len(x) - 1), stats.norm.ppf(0.975)
    n = effective(x, answers) * (z / t) ** 2
    k = x.mean() * n
    lower = 0.0 if k == 0 else stats.beta.ppf(0.025, k, n - k + 1)
    upper = 1.0 if x.mean() == 1 else stats.beta.ppf(0.975, k + 1, n - k)
    return float(lower), float(upper)


def correlation(a, b):
    return 0.0 if np.ptp(a) < 1e-12 or np.ptp(b) < 1e-12 else float(np.corrcoef(a, b)[0, 1])


def mover(p1, l1, u1, p0, l0, u0, r, factor=1.0):
    """Bounds of p1 - factor * p0 for a factor that is not negative."""
    a, b = p1 - l1, factor * (u0 - p0)
    c, d = u1 - p1, factor * (p0 - l0)
    point = p1 - factor * p0
    return (
        point - math.sqrt(max(0.0, a * a - 2 * r * a * b + b * b)),
        point + math.sqrt(max(0.0, c * c - 2 * r * c * d + d * d)),
    )


def relative(p1, l1, u1, p0, l0, u0, r):
    """The factors at which a bound of p1 - factor * p0 is zero."""
    if p0 == 0:
        return None
    bound = lambda side: lambda f: mover(p1, l1, u1, p0, l0, u0, r, f)[side]
    point = p1 / p0
    lower = 0.0 if l1 == 0 else optimize.brentq(bound(0), 0, point, xtol=1e-14)
    upper = point if bound(1)(point) <= 0 else optimize.brentq(bound(1), point, 1e6, xtol=1e-12)
    return point, lower, upper


def sign_flip(d):
    seen = abs(d.sum())
    d = d[np.abs(d) > 1e-9]
    sums = [abs(np.dot(signs, d)) for signs in itertools.product((1, -1), repeat=len(d))]
    return float(np.mean(np.array(sums) >= seen - 1e-9))


def these_questions(questions, names):
    """Bounds per arm and of the lift, from repeats alone."""
    z = stats.norm.ppf(0.975)
    arms = {}
    for arm in ("baseline", "treated"):
        variance, inverse, rates = 0.0, 0.0, []
        for name in names:
            of = [q[arm] for q in questions if q["family"] == name]
            rates.append(np.mean([m / (m + s) for m, s, _ in of]))
            variance += sum(m * s / (m + s) ** 2 / (m + s - 1) for m, s, _ in of) / len(of) ** 2
            inverse += 1 / sum(m + s for m, s, _ in of)
        n, p = len(names), float(np.mean(rates))
        variance /= n * n
        answers = n * n / inverse
        eff = max(answers, p * (1 - p) / variance) if variance > 0 else answers
        arms[arm] = (p, *wilson(p, eff, z), variance)
    (p1, l1, u1, v1), (p0, l0, u0, v0) = arms["treated"], arms["baseline"]
    return {"baseline": arms["baseline"][1:3], "lift": mover(p1, l1, u1, p0, l0, u0, 0.0), "se": math.sqrt(v0 + v1)}


def arm_case(questions):
    names = sorted({q["family"] for q in questions})
    a, answers_a = family_shares(questions, "baseline")
    b, answers_b = family_shares(questions, "treated")
    d = b - a
    t = stats.t.ppf(0.975, len(d) - 1)
    ra, rb = rate(a, answers_a), rate(b, answers_b)
    r = correlation(a, b)
    repeated = all(q[arm][0] + q[arm][1] > 1 for q in questions for arm in ("baseline", "treated"))
    single = all(q[arm][0] + q[arm][1] == 1 for q in questions for arm in ("baseline", "treated"))
    return {
        "questions": questions,
        "rate": [a.mean(), stats.sem(a), *ra],
        "rate_90": rate(a, answers_a, 0.90),
        "korn_graubard": korn_graubard(a, answers_a),
        "lift": [d.mean(), *mover(b.mean(), *rb, a.mean(), *ra, r)],
        "student": [stats.sem(d), max(-1, d.mean() - t * stats.sem(d)), min(1, d.mean() + t * stats.sem(d))],
        "relative": relative(b.mean(), *rb, a.mean(), *ra, r),
        "sign_flip": sign_flip(d) if (np.abs(d) > 1e-9).sum() <= 14 else None,
        "these": these_questions(questions, names) if repeated else None,
        "mcnemar": mcnemar_case(a, b) if single else None,
    }


def mcnemar_case(a, b):
    table = [[int(((a == i) & (b == j)).sum()) for j in (1, 0)] for i in (1, 0)]
    return float(mcnemar(table, exact=True).pvalue)


def question(family, a, b, repeats, missing=(0, 0)):
    return {
        "family": family,
        "baseline": [int(a), int(repeats - a - missing[0]), missing[0]],
        "treated": [int(b), int(repeats - b - missing[1]), missing[1]],
    }


def cases():
    rng = np.random.default_rng(7)
    draw = lambda n, k, alpha, beta, up: [
        (rng.binomial(k, p), rng.binomial(k, min(1, p + up))) for p in rng.beta(alpha, beta, n)
    ]
    plain = lambda drawn, k: [question(f"f{i:02}", a, b, k) for i, (a, b) in enumerate(drawn)]
    uneven = [question(f"f{i // 3:02}", a, b, 5) for i, (a, b) in enumerate(draw(26, 5, 0.6, 1.4, 0.2))]
    holes = [question(f"f{i:02}", min(a, 4), min(b, 3), 6, (i % 2, (i + 1) % 3)) for i, (a, b) in enumerate(draw(14, 4, 1, 1, 0.1))]
    return {
        "spread 12x5": plain(draw(12, 5, 0.6, 1.4, 0.25), 5),
        "rare 20x10": plain(draw(20, 10, 0.25, 4.75, 0.05), 10),
        "never to always 10x5": plain([(0, 5)] * 10, 5),
        "never to never 6x3": plain([(0, 0)] * 6, 3),
        "all alike 8x5": plain([(1, 3)] * 8, 5),
        "smallest 5x4": plain([(0, 2), (1, 1), (2, 4), (4, 3), (0, 1)], 4),
        "one answer 18x1": plain(draw(18, 1, 1, 2, 0.4), 1),
        "always to seldom 9x5": plain([(5, 1), (5, 0), (4, 2), (5, 1), (5, 0), (5, 3), (5, 0), (4, 1), (5, 1)], 5),
        "families of unequal size": uneven,
        "unequal repeats": holes,
    }


def corrected(rate_case, calibration):
    """The bounds of theta at which p - theta*Se - (1-theta)*(1-Sp) has a MOVER bound of zero, by a fine grid of roots."""
    p, _, lp, up = rate_case
    tp, fn, tn, fp = calibration
    se, (ls, us) = tp / (tp + fn), proportion_confint(tp, tp + fn, method="wilson")
    fa, (lf, uf) = fp / (tn + fp), proportion_confint(fp, tn + fp, method="wilson")
    lower = lambda t: p - t * se - (1 - t) * fa - math.sqrt((p - lp) ** 2 + (t * (us - se)) ** 2 + ((1 - t) * (uf - fa)) ** 2)
    upper = lambda t: p - t * se - (1 - t) * fa + math.sqrt((up - p) ** 2 + (t * (se - ls)) ** 2 + ((1 - t) * (fa - lf)) ** 2)
    point = min(1.0, max(0.0, (p - fa) / (se - fa)))
    low = 0.0 if lower(0) <= 0 else optimize.brentq(lower, 0, point, xtol=1e-14)
    high = 1.0 if upper(1) >= 0 else optimize.brentq(upper, point, 1, xtol=1e-14)
    return [point, low, high]


def corrected_lift(lift_case, calibration):
    d, ld, ud = lift_case
    tp, fn, tn, fp = calibration
    se, (ls, us) = tp / (tp + fn), proportion_confint(tp, tp + fn, method="wilson")
    fa, (lf, uf) = fp / (tn + fp), proportion_confint(fp, tn + fp, method="wilson")
    lj, uj = mover(se, ls, us, fa, lf, uf, 0.0)
    j = se - fa

    def bound(side):
        def at(ratio):
            up, down = (uj - j, j - lj) if ratio >= 0 else (j - lj, uj - j)
            first, second = (d - ld, up) if side == 0 else (ud - d, down)
            sign = -1 if side == 0 else 1
            return d - ratio * j + sign * math.hypot(first, ratio * second)
        return at

    clip = lambda value: min(1.0, max(-1.0, value))
    return [clip(d / j), clip(optimize.brentq(bound(0), -50, d / j, xtol=1e-14)), clip(optimize.brentq(bound(1), d / j, 50, xtol=1e-14))]


def spread_case():
    rng = np.random.default_rng(11)
    level = rng.beta(2, 3, 15)
    shift = [0.0, 0.15, -0.1, 0.05]
    tallies = [[int(rng.binomial(6, min(1, max(0, p + s)))) for p in level] for s in shift]
    rows = [(v, i, m / 6) for v, row in enumerate(tallies) for i, m in enumerate(row)]
    table = AnovaRM(pandas.DataFrame(rows, columns=["variant", "family", "x"]), "x", "family", ["variant"]).fit().anova_table
    x = np.array(tallies) / 6
    residual = x - x.mean(0) - x.mean(1, keepdims=True) + x.mean()
    ms_residual = (residual**2).sum() / (3 * 14)
    ms_variant = 15 * x.mean(1).var(ddof=1)
    noise = (x * (1 - x) / 5).mean()
    return {
        "repeats": 6,
        "tallies": tallies,
        "rates": x.mean(1).tolist(),
        "between": math.sqrt(max(0, (ms_variant - ms_residual) / 15)),
        "interaction": math.sqrt(max(0, ms_residual - noise)),
        "noise": math.sqrt(noise),
        "p_value": float(table["Pr > F"].iloc[0]),
    }


def e_process(lifts, alpha=0.05):
    up = down = best = 1.0
    seen = []
    for d in lifts:
        padded = [0.0] + seen
        mean = sum(padded) / len(padded)
        scatter = sum((x - mean) ** 2 for x in seen)
        bet = mean / ((0.25 + scatter) / len(padded) + mean * mean)
        up *= 1 + min(0.5, max(0.0, bet)) * d
        down *= 1 - min(0.5, max(0.0, -bet)) * d
        best = max(best, up, down)
        seen.append(d)
    return {"lifts": list(lifts), "higher": up, "lower": down, "p_value": min(1.0, 2 / best)}


def bootstrap_case():
    """All 7^7 resamples of a ratio, so the bounds have no chance in them."""
    top, bottom = [3, 0, 4, 1, 2, 6, 2], [5, 4, 6, 5, 3, 7, 6]
    values = []
    for pick in itertools.product(range(7), repeat=7):
        values.append(sum(top[i] for i in pick) / sum(bottom[i] for i in pick))
    values = np.sort(np.array(values))
    point = sum(top) / sum(bottom)
    below = ((values < point - 1e-12).mean() + (values <= point + 1e-12).mean()) / 2
    z0 = stats.norm.ppf(below)
    jack = np.array([(sum(top) - t) / (sum(bottom) - b) for t, b in zip(top, bottom)])
    delta = jack.mean() - jack
    a = (delta**3).sum() / (6 * (delta**2).sum() ** 1.5)
    at = lambda z: float(np.quantile(values, stats.norm.cdf(z0 + (z0 + z) / (1 - a * (z0 + z)))))
    wide = stats.t.ppf(0.975, 6) * math.sqrt(7 / 6)
    return {"top": top, "bottom": bottom, "point": point, "lower": at(-wide), "upper": at(wide), "se": float(values.std())}


def quantiles():
    t = [[p, f, stats.t.ppf(p, f)] for p in (0.6, 0.9, 0.95, 0.975, 0.995, 0.9995) for f in (1, 2, 4, 9, 19, 30, 99, 1000, 39999)]
    beta = [[p, a, b, stats.beta.ppf(p, a, b)] for p in (0.025, 0.5, 0.975) for a, b in ((0.3, 7.7), (1, 10), (2.5, 0.8), (4.2, 19.1), (51, 1.02), (120.5, 333.3), (0.05, 4))]
    normal = [[p, stats.norm.ppf(p)] for p in (1e-4, 0.025, 0.2, 0.5, 0.8, 0.9, 0.975, 0.995, 0.99975)]
    binomial = [[k, n, p, stats.binom.cdf(k, n, p)] for k, n, p in ((0, 5, 0.5), (2, 9, 0.5), (7, 20, 0.3), (49, 100, 0.5), (0, 40, 0.02))]
    return {"student": t, "beta": beta, "normal": normal, "binomial": binomial}


def main():
    arms = {name: arm_case(questions) for name, questions in cases().items()}
    tables = [(3, 1, 1, 3), (1, 9, 11, 3), (0, 200, 9, 191), (2, 598, 5, 595), (0, 10, 0, 12), (8, 2, 1, 5), (40, 960, 12, 988)]
    p_values = [[0.01, 0.04, 0.03, 0.005], [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216, 0.222, 0.251], [0.5, 0.9, 0.04], [0.02, 0.02, 0.02], [0.7]]
    labels = [(95, 5, 180, 20), (40, 10, 49, 1), (60, 0, 60, 0), (300, 100, 380, 20)]
    rng = np.random.default_rng(3)
    vectors = {
        "quantiles": quantiles(),
        "wilson": [[k, n, *proportion_confint(k, n, method="wilson")] for k, n in ((0, 10), (1, 10), (5, 20), (81, 263), (10, 10), (1, 1))],
        "arms": arms,
        "fisher": [[list(t), float(stats.fisher_exact([t[:2], t[2:]]).pvalue)] for t in tables],
        "adjusted": [[p, multipletests(p, method="holm")[1].tolist(), multipletests(p, method="fdr_bh")[1].tolist()] for p in p_values],
        "corrected": [
            [name, list(c), corrected(arms[name]["rate"], c), corrected_lift(arms[name]["lift"], c)]
            for name in ("spread 12x5", "families of unequal size", "smallest 5x4") for c in labels
        ],
        "spread": spread_case(),
        "bootstrap": bootstrap_case(),
        "cochran": [
            [table, float(cochrans_q(np.array(table)).pvalue)]
            for table in (
                [[1, 0, 1], [1, 1, 1], [1, 0, 0], [0, 0, 0], [1, 0, 1], [1, 0, 1], [0, 1, 1], [1, 0, 1]],
                [[1, 0], [0, 1], [1, 0], [1, 1], [1, 0], [1, 0], [0, 0]],
                [[(i * j + i // 3) % 4 > 1 for j in range(5)] for i in range(12)],
            )
        ],
        "e_process": [e_process([round(float(x), 3) for x in rng.uniform(low, high, 40)]) for low, high in ((-0.3, 0.8), (-0.9, 0.1), (-0.5, 0.5))],
    }
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(vectors, indent=None, separators=(",", ":"), default=float).replace("]]", "]]\n") + "\n")


main()
