"""Reference values for the statistics of this crate, from scipy, numpy and pymannkendall.

    python3 -m venv venv && venv/bin/pip install scipy pymannkendall numpy
    venv/bin/python generate.py > values.json

The values are committed; the crate's tests hold its own implementations against them to 1e-9.
"""

import json
import sys

import numpy
import pymannkendall
import scipy
from scipy import stats

random = numpy.random.default_rng(20240117)


def series(n):
    return [round(float(v), 6) for v in numpy.cumsum(random.normal(0.2, 1.0, n))]


def kendall_case(values):
    n = len(values)
    one_sided = stats.kendalltau(range(n), values, method="exact", alternative="greater")
    slope, _, low, high = stats.theilslopes(values, range(n))
    mk = pymannkendall.original_test(values)
    slopes = sorted((values[j] - values[i]) / (j - i) for i in range(n) for j in range(i + 1, n))
    # The one-sided bound at the smallest attained level that is at least 95 %, straight from the exact distribution.
    inversions = [1.0]
    for size in range(2, n + 1):
        grown = [0.0] * (len(inversions) + size - 1)
        for i, weight in enumerate(inversions):
            for j in range(size):
                grown[i + j] += weight / size
        inversions = grown
    below, k = 0.0, 0
    while below + inversions[k] <= 0.05:
        below += inversions[k]
        k += 1
    bounds = [slopes[k - 1], slopes[-k]] if k > 0 else None
    return {
        "values": values,
        "p": float(one_sided.pvalue),
        "slope": float(slope),
        "bounds": bounds,
        "level": 1.0 - below,
        "s": float(mk.s),
        "z": float(mk.z),
    }


def t_interval(values, level):
    found = stats.ttest_1samp(values, 0.0).confidence_interval(level)
    return [float(found.low), float(found.high)]


def binomial(k, n, level):
    found = stats.binomtest(k, n).proportion_ci(level, "exact")
    return [float(found.low), float(found.high)]


def autocorrelated(n, memory, slope):
    state, found = 0.0, []
    for i in range(n):
        state = memory * state + float(random.normal())
        found.append(round(state + slope * i, 2))
    return found


def baselines_case(values):
    times = [10.0 * i for i in range(len(values))]
    line = stats.linregress(times, values)
    return {
        "values": values,
        "mann_kendall_p": float(pymannkendall.original_test(values).p),
        "hamed_rao_p": float(pymannkendall.hamed_rao_modification_test(values).p),
        "slope": float(line.slope),
        "r_squared": float(line.rvalue**2),
        "in_an_hour": float(line.intercept + line.slope * (times[-1] + 3600.0)),
    }


def gls_case(n, tau, white):
    """Generalised least squares on level and line, with the covariance (1 - white)·exp(-|dt|/tau) + white on the diagonal."""
    times = numpy.cumsum(random.uniform(5.0, 15.0, n))
    times = times - times[0]
    values = numpy.array(autocorrelated(n, 0.6, 0.05))
    covariance = (1 - white) * numpy.exp(-numpy.abs(times[:, None] - times[None, :]) / tau) + white * numpy.eye(n)
    root = numpy.linalg.inv(numpy.linalg.cholesky(covariance))
    columns = root @ numpy.column_stack([numpy.ones(n), times])
    found, _, _, _ = numpy.linalg.lstsq(columns, root @ values, rcond=None)
    left = root @ values - columns @ found
    variance = float(left @ left) / (n - 1)
    return {
        "times": times.tolist(),
        "values": values.tolist(),
        "tau": tau,
        "white": white,
        "slope": float(found[1]),
        "error": float(numpy.sqrt(variance * numpy.linalg.inv(columns.T @ columns)[1, 1])),
        "log_determinant": float(numpy.linalg.slogdet(covariance)[1]),
    }


samples = [series(n) for n in (5, 6, 8, 20)]
json.dump(
    {
        "made_with": {"scipy": scipy.__version__, "numpy": numpy.__version__},
        "kendall": [kendall_case(series(n)) for n in (4, 5, 6, 7, 8, 10, 15, 30)],
        "t_cdf": [
            [t, df, float(stats.t.cdf(t, df))] for df in (1, 2, 4, 7, 30, 200) for t in (-6.5, -1.0, 0.0, 0.3, 2.1, 12.0)
        ],
        "t_quantile": [
            [p, df, float(stats.t.ppf(p, df))] for df in (1, 2, 5, 9, 60) for p in (0.001, 0.05, 0.5, 0.8, 0.975, 0.99917)
        ],
        "f_cdf": [
            [x, a, b, float(stats.f.cdf(x, a, b))] for a, b in ((1, 2), (2, 2), (2, 5), (2, 40)) for x in (0.2, 1.0, 9.0, 120.0)
        ],
        "normal_quantile": [[p, float(stats.norm.ppf(p))] for p in (0.0005, 0.01, 0.3, 0.5, 0.95, 0.9999)],
        "t_interval": [{"values": v, "level": 0.95, "interval": t_interval(v, 0.95)} for v in samples],
        "clopper_pearson": [
            {"k": k, "n": n, "level": 0.95, "interval": binomial(k, n, 0.95)} for k, n in ((0, 6), (1, 6), (6, 6), (17, 40))
        ],
        "quantile": [
            {"values": v, "q": q, "value": float(numpy.quantile(v, q))} for v in samples for q in (0.0, 0.1, 0.5, 0.95, 1.0)
        ],
        "baselines": [
            baselines_case(autocorrelated(n, memory, slope))
            for n, memory, slope in ((12, 0.0, 0.0), (40, 0.5, 0.02), (60, 0.8, 0.0), (100, 0.3, 0.05))
        ]
        + [baselines_case([1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 2.0, 4.0, 5.0, 5.0, 6.0, 5.0])],
        "gls": [gls_case(n, tau, white) for n, tau, white in ((20, 30.0, 0.0), (50, 80.0, 0.3), (120, 15.0, 0.5))],
        "mad": [{"values": v, "value": float(stats.median_abs_deviation(v))} for v in samples],
    },
    sys.stdout,
    indent=1,
)
print()
