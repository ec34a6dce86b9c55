"""Sixteen trellis cells at a time: LLVM vector code that becomes what the processor has.

The loop vectoriser of LLVM turns neither the shifted reading nor the packing of back-pointers into
vector code, so both are said outright, in LLVM's own terms: AVX-512, AVX2, SSE or NEON follow from
where it is compiled. Only the look-up of scores has a form of its own for AVX-512.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WIDTH = 16
SMALL = 2 * WIDTH
"""Classes whose scores fit two AVX-512 registers."""

FLOAT, INT, BITS, INDEX = ir.FloatType(), ir.IntType(32), ir.IntType(WIDTH), ir.IntType(64)
FLOATS, INTS = ir.VectorType(FLOAT, WIDTH), ir.VectorType(INT, WIDTH)
MASK = ir.VectorType(ir.IntType(1), WIDTH)
WORST = ir.Constant(FLOATS, [float("-inf")] * WIDTH)
CARRIED = ir.Constant(INTS, list(range(WIDTH - 1, 2 * WIDTH - 1)))
PERMUTE = "llvm.x86.avx512.vpermi2var.ps.512"


def _row(*, small: bool, pointers: bool) -> Any:
    """An intrinsic that takes a row of the trellis to the next frame, strips `first` to `last`.

    It is called with (blanks, labels, classes, apart, table, blank, first, last, came): the row's
    blank and label states, float32, each after one strip of padding; the labels' places in `table`,
    int32; a bit for each label that differs from the one before it, uint16 a strip; the frame's
    scores by place, float32; blank's score; and where pointers are kept, [strips, 3] uint16: bits
    of blanks that came from a label, of labels that came from a blank, and from a label.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        arrays = [
            context.make_array(kind)(context, builder, value).data if k not in {5, 6, 7} else value
            for k, (kind, value) in enumerate(zip(signature.args, args, strict=True))
        ]
        blanks, labels, classes, apart, table, blank, first, last, came = arrays
        permute = small and "+avx512f" in context.codegen().magic_tuple()[2]
        look_up = (_permuted if permute else _gathered)(builder, table)
        score = _spread(builder, blank)

        def strip(at: Any, before: Any) -> Any:
            inside = builder.add(at, INDEX(1))
            stayed_blank = _load(builder, blanks, FLOATS, inside)
            stayed = _load(builder, labels, FLOATS, inside)
            lower = builder.shuffle_vector(before, stayed, CARRIED)
            left_label = builder.fcmp_ordered(">", lower, stayed_blank)
            best = builder.select(left_label, lower, stayed_blank)
            _store(builder, builder.fadd(best, score), blanks, inside)

            may_skip = builder.bitcast(_load(builder, apart, BITS, at), MASK)
            left_blank = builder.fcmp_ordered(">", stayed_blank, stayed)
            best = builder.select(left_blank, stayed_blank, stayed)
            skipped = builder.fcmp_ordered(">", builder.select(may_skip, lower, WORST), best)
            best = builder.select(skipped, lower, best)
            known = look_up(_load(builder, classes, INTS, at))
            _store(builder, builder.fadd(best, known), labels, inside)
            if pointers:
                for k, mask in enumerate((left_label, left_blank, skipped)):
                    place = builder.add(builder.mul(at, INDEX(3)), INDEX(k))
                    _store(builder, builder.bitcast(mask, BITS), came, place)
            return stayed

        _strips(builder, first, last, _load(builder, labels, FLOATS, first), strip)
        return context.get_dummy_value()

    @intrinsic
    def row(_context, blanks, labels, classes, apart, table, blank, first, last, came):  # noqa: ARG001 - numba reads their names
        floats, ints = types.Array(types.float32, 1, "C"), types.Array(types.int32, 1, "C")
        bits = types.Array(types.uint16, 1, "C")
        known = (floats, floats, ints, bits, floats, types.float32, types.int64, types.int64, came)
        return types.void(*known), generate

    return row


def _strips(
    builder: Any, first: Any, last: Any, carry: Any, strip: Callable[[Any, Any], Any]
) -> None:
    """`for at in range(first, last): carry = strip(at, carry)`."""
    entry = builder.block
    body, done = builder.append_basic_block("strip"), builder.append_basic_block("row.done")
    builder.cbranch(builder.icmp_signed("<", first, last), body, done)
    builder.position_at_end(body)
    at, carried = builder.phi(INDEX), builder.phi(FLOATS)
    after = strip(at, carried)
    following = builder.add(at, INDEX(1))
    for phi, begin, again in ((at, first, following), (carried, carry, after)):
        phi.add_incoming(begin, entry)
        phi.add_incoming(again, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, last), body, done)
    builder.position_at_end(done)


def _permuted(builder: Any, table: Any) -> Callable[[Any], Any]:
    low, high = (_load(builder, table, FLOATS, INDEX(k)) for k in range(2))
    kind = ir.FunctionType(FLOATS, [FLOATS, INTS, FLOATS])
    function = cgutils.get_or_insert_function(builder.module, kind, PERMUTE)
    return lambda places: builder.call(function, [low, places, high])


def _gathered(builder: Any, table: Any) -> Callable[[Any], Any]:
    def look_up(places: Any) -> Any:
        found = ir.Constant(FLOATS, ir.Undefined)
        for k in range(WIDTH):
            value = builder.load(builder.gep(table, [builder.extract_element(places, INT(k))]))
            found = builder.insert_element(found, value, INT(k))
        return found

    return look_up


def _spread(builder: Any, value: Any) -> Any:
    one = builder.insert_element(ir.Constant(FLOATS, ir.Undefined), value, INT(0))
    return builder.shuffle_vector(one, one, ir.Constant(INTS, [0] * WIDTH))


def _load(builder: Any, data: Any, kind: Any, at: Any) -> Any:
    value = builder.load(builder.gep(builder.bitcast(data, kind.as_pointer()), [at]))
    value.align = 2 if kind is BITS else 4
    return value


def _store(builder: Any, value: Any, data: Any, at: Any) -> None:
    place = builder.gep(builder.bitcast(data, value.type.as_pointer()), [at])
    builder.store(value, place, align=2 if value.type is BITS else 4)


advance = _row(small=False, pointers=False)
advance_small = _row(small=True, pointers=False)
advance_noting = _row(small=False, pointers=True)
advance_noting_small = _row(small=True, pointers=True)
