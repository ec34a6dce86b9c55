"""Sixteen samples side by side in SIMD registers, written in LLVM's own vectors for numba.

A recursive filter cannot be vectorised along time, and compiled loops over lanes keep their state
and their sums in memory. Here they stay in registers; LLVM cuts the vectors to the processor's
width, and as every product is a fused multiply-add, results do not depend on that width.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16
HALF = LANES // 2
SINGLES = ir.VectorType(ir.FloatType(), LANES)
HALF_SINGLES = ir.VectorType(ir.FloatType(), HALF)
DOUBLES = ir.VectorType(ir.DoubleType(), HALF)


@intrinsic
def transpose(typing, source, starts, offset, target, row):  # noqa: ARG001
    """Set target[row + j, lane] to source[starts[lane] + offset + j], j below LANES.

    `source` is flat float32, `starts` int64 [LANES], `target` float32 [rows, LANES].
    """

    def emit(context, builder, signature, args):
        from_, starts_, into = (
            context.make_array(signature.args[n])(context, builder, args[n]).data for n in (0, 1, 3)
        )
        rows = []
        for lane in range(LANES):
            start = builder.load(builder.gep(starts_, [args[2].type(lane)]))
            rows.append(_load(builder, from_, builder.add(start, args[2]), SINGLES))
        width = 1
        while width < LANES:
            rows = _swapped(builder, rows, width)
            width *= 2
        for j, values in enumerate(rows):
            place = builder.mul(builder.add(args[4], args[4].type(j)), args[4].type(LANES))
            _store(builder, into, place, values)
        return context.get_dummy_value()

    return types.void(source, starts, offset, target, row), emit


def _swapped(builder, rows, width):
    """Exchange the blocks of `width` off the diagonal in every pair of rows `width` apart."""
    upper = [LANES + j - width if j & width else j for j in range(LANES)]
    lower = [LANES + j if j & width else j + width for j in range(LANES)]
    out = list(rows)
    for i in range(LANES):
        if not i & width:
            for to, pick in ((i, upper), (i + width, lower)):
                mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), pick)
                out[to] = builder.shuffle_vector(rows[i], rows[i + width], mask)
    return out


@intrinsic
def weigh(typing, samples, first, step, count, basis, taps, state):  # noqa: ARG001
    """K-weight rows first, first + step, ... of `samples` [rows, LANES] float32, `count` of them.

    `basis` float64 [count, 2] is what the high pass rings like, `taps` are b0 b1 b2 -a1 -a2 of
    the shelf and -a1 -a2 -2 of the high pass. `state` float64 [7, LANES] goes on: two of the
    shelf, two of the high pass, the energy, and the output's products with the two columns.
    """

    def emit(context, builder, signature, args):
        x, basis_, state_ = (
            context.make_array(signature.args[n])(context, builder, args[n]).data for n in (0, 4, 6)
        )
        index = args[1].type
        coefficients = [_spread(builder, c) for c in cgutils.unpack_tuple(builder, args[5])]
        kept = [cgutils.alloca_once(builder, DOUBLES) for _ in range(14)]
        for n, slot in enumerate(kept):
            builder.store(_load(builder, state_, index(n * HALF), DOUBLES), slot)
        with cgutils.for_range(builder, args[3]) as loop:
            row = builder.add(args[1], builder.mul(loop.index, args[2]))
            ring = [
                _spread(builder, builder.load(builder.gep(basis_, [
                    builder.add(builder.mul(loop.index, index(2)), index(n))])))
                for n in range(2)
            ]  # fmt: skip
            for half in range(2):
                place = builder.add(builder.mul(row, index(LANES)), index(half * HALF))
                value = builder.fpext(_load(builder, x, place, HALF_SINGLES), DOUBLES)
                _step(builder, value, coefficients, ring, kept[half::2])
        for n, slot in enumerate(kept):
            _store(builder, state_, index(n * HALF), builder.load(slot))
        return context.get_dummy_value()

    return types.void(samples, first, step, count, basis, taps, state), emit


def _step(builder, x, coefficients, ring, slots):
    """Both biquads in direct form II transposed, and what is summed of their output."""
    b0, b1, b2, a1, a2, d1, d2, minus_two = coefficients
    s1, s2, t1, t2, energy, *products = (builder.load(slot) for slot in slots)

    def fma(a, b, c):
        return _fma(builder, a, b, c)

    y = fma(b0, x, s1)
    z = builder.fadd(y, t1)
    new = (
        fma(a1, y, fma(b1, x, s2)),
        fma(a2, y, builder.fmul(b2, x)),
        fma(d1, z, fma(minus_two, y, t2)),
        fma(d2, z, y),
        fma(z, z, energy),
        *(fma(z, share, product) for share, product in zip(ring, products, strict=True)),
    )
    for slot, value in zip(slots, new, strict=True):
        builder.store(value, slot)


@intrinsic
def crest(typing, samples, first):  # noqa: ARG001
    """Largest bits, sign cleared, of samples[first], .. [first + 2 LANES - 1], flat float32.

    Magnitudes order like their bits, and what is not finite lies above all that is.
    """

    def emit(context, builder, signature, args):
        x = context.make_array(signature.args[0])(context, builder, args[0]).data
        kind = ir.VectorType(ir.IntType(32), LANES)
        mask = ir.Constant(kind, [0x7FFFFFFF] * LANES)
        low, high = (
            builder.and_(_load(builder, x, builder.add(args[1], args[1].type(n)), kind), mask)
            for n in (0, LANES)
        )
        return _reduced(builder, "llvm.smax", _call(builder, "llvm.smax", low, high))

    return types.int32(samples, first), emit


def interpolation(count):
    """The function `between` for so many phases."""

    @intrinsic
    def between(typing, samples, first, stride, phases, out):  # noqa: ARG001
        """Set out[j] to the largest magnitude of the phases' outputs that end at sample first + j.

        `samples` is flat float32 whose taps lie `stride` apart, `phases` float32 [taps, count],
        `out` float32 [2 LANES].
        """

        def emit(context, builder, signature, args):
            x, weights, into = (
                context.make_array(signature.args[n])(context, builder, args[n]) for n in (0, 3, 4)
            )
            _interpolate(builder, x.data, args[1], args[2], weights, count, into.data)
            return context.get_dummy_value()

        return types.void(samples, first, stride, phases, out), emit

    return between


def _interpolate(builder, x, first, stride, weights, count, into):
    index, taps = first.type, builder.extract_value(weights.shape, 0)
    sums = [[cgutils.alloca_once(builder, SINGLES) for _ in range(count)] for _ in range(2)]
    for slot in (*sums[0], *sums[1]):
        builder.store(_spread(builder, ir.Constant(ir.FloatType(), 0.0), LANES), slot)
    begin = builder.sub(first, builder.mul(builder.sub(taps, index(1)), stride))
    with cgutils.for_range(builder, taps) as loop:
        place = builder.add(begin, builder.mul(loop.index, stride))
        line = [_load(builder, x, builder.add(place, index(n)), SINGLES) for n in (0, LANES)]
        for phase in range(count):
            at = builder.add(builder.mul(loop.index, index(count)), index(phase))
            weight = _spread(builder, builder.load(builder.gep(weights.data, [at])), LANES)
            for half in range(2):
                slot = sums[half][phase]
                builder.store(_fma(builder, weight, line[half], builder.load(slot)), slot)
    for half in range(2):
        largest = None
        for slot in sums[half]:
            value = _call(builder, "llvm.fabs", builder.load(slot))
            largest = value if largest is None else _call(builder, "llvm.maxnum", largest, value)
        _store(builder, into, index(half * LANES), largest)


def _call(builder, name, *values):
    kind = values[0].type
    letter = {ir.FloatType(): "f32", ir.DoubleType(): "f64", ir.IntType(32): "i32"}[kind.element]
    form = ir.FunctionType(kind, [kind] * len(values))
    name = f"{name}.v{kind.count}{letter}"
    return builder.call(cgutils.get_or_insert_function(builder.module, form, name), values)


def _reduced(builder, name, values):
    """One value of LANES, by halves that are turned onto each other."""
    width = LANES // 2
    while width:
        turn = [(j + width) % LANES for j in range(LANES)]
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), turn)
        values = _call(builder, name, values, builder.shuffle_vector(values, values, mask))
        width //= 2
    return builder.extract_element(values, ir.IntType(32)(0))


def _fma(builder, a, b, c):
    return _call(builder, "llvm.fma", a, b, c)


def _load(builder, pointer, place, kind):
    at = builder.bitcast(builder.gep(pointer, [place]), kind.as_pointer())
    return builder.load(at, align=4)


def _store(builder, pointer, place, value):
    at = builder.bitcast(builder.gep(pointer, [place]), value.type.as_pointer())
    builder.store(value, at, align=4)


def _spread(builder, scalar, count=HALF):
    kind = ir.VectorType(scalar.type, count)
    single = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count)
    return builder.shuffle_vector(single, ir.Constant(kind, ir.Undefined), zeros)
