#!/usr/bin/env python3
"""Fits the polynomials of gelu.hpp: python3 stage4_nanogpt/kernels/erf_coefficients.py prints them.

With Phi the integral of the normal distribution, g(x) = exp(x^2/2) Phi(-x) for x >= 0 falls smoothly from 1/2 and is
about 0.4/x far out. So P = (x + k) g is nearly constant, and a polynomial in t = (x - k) / (x + k) = 1 - 2 k / (x + k)
fits it from 0 to where Phi(-x) is 0 in the type. The fit takes P at Chebyshev's points, which is within a small factor
of the best polynomial, in 120 digits or more: exp(x^2/2) is 10^330 where fp64 ends, and g is a difference of two such
numbers,
  g(x) = exp(x^2/2) / 2 - (x + x^3/3 + x^5/15 + ... + x^(2n+1)/(1 3 5 ... (2n+1)) + ...) / sqrt(2 pi).
The error printed is that of the polynomial, relative to g, with its coefficients rounded to the type.
"""
import struct
from decimal import Decimal, getcontext

getcontext().prec = 450
K = 4


def pi():
    """Machin's formula."""

    def arctan_of_inverse(n):
        term, total, k = Decimal(1) / n, Decimal(0), 0
        while abs(term) > Decimal(10) ** -440:
            total += term / (2 * k + 1) * (-1) ** k
            term /= n * n
            k += 1
        return total

    return 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239))


PI = pi()
ROOT_OF_2_PI = (2 * PI).sqrt()


def cosine(x):
    term, total, k = Decimal(1), Decimal(0), 0
    while abs(term) > Decimal(10) ** -60:
        total += term
        k += 2
        term *= -x * x / (k * (k - 1))
    return total


def g(x):
    half = (x * x / 2).exp() / 2
    term, total, n = x, Decimal(0), 0
    while term > total * Decimal(10) ** -400:
        total += term
        n += 1
        term *= x * x / (2 * n + 1)
    return half - total / ROOT_OF_2_PI


def fitted(end, degree):
    """Coefficients of t^0, t^1, ... for x from 0 to `end`."""
    low, high = Decimal(-1), Decimal(end - K) / (end + K)
    count = degree + 1
    points = [cosine(PI * (2 * i + 1) / (2 * count)) for i in range(count)]
    places = [low + (high - low) * (y + 1) / 2 for y in points]
    values = [K * (1 + t) / (1 - t) for t in places]
    values = [(x + K) * g(x) for x in values]
#Newton's divided differences, then multiplied out.
    parts = list(values)
    for step in range(1, count):
        for i in range(count - 1, step - 1, -1):
            parts[i] = (parts[i] - parts[i - 1]) / (places[i] - places[i - step])
    result = [Decimal(0)] * count
    for i in range(count - 1, -1, -1):
        result = [(result[j - 1] if j else parts[i]) - places[i] * result[j] for j in range(count)]
    return result


def error(end, coefficients):
    worst = Decimal(0)
    for i in range(1, 400):
        x = Decimal(end) * i / 400
        t, p = (x - K) / (x + K), Decimal(0)
        for c in reversed(coefficients):
            p = p * t + Decimal(c)
        worst = max(worst, abs(p / ((x + K) * g(x)) - 1))
    return worst


def to_float(value):
    return struct.unpack("f", struct.pack("f", float(value)))[0]


for name, end, degree, rounded in (("fp32", 14, 9, to_float), ("fp64", 39, 22, float)):
    coefficients = [rounded(c) for c in fitted(end, degree)]
    print(f"{name}: degree {degree}, x from 0 to {end}, error {error(end, coefficients):.1e}")
    print(", ".join(f"{c:.9g}" if name == "fp32" else repr(c) for c in coefficients))
