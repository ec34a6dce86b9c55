"""The recurrence in one pass over the windows by start, ends side by side in the vector lanes."""

import numpy as np
from numba import njit

SPARSE = 4


def best(first, last, times, value, k):
    """Indices of the best set, ordered by start; windows [first, last) in 0..times - 1."""
    order, edges, longest = _by_start(first, last, times)
    moments, rank = _ends(last, times)
    table = np.zeros((k, len(moments) + 1))
    _fill(last, value, order, edges, rank, table)
    return _trace(first, last, value, order, edges, moments, rank, table, longest)


@njit(cache=True, nogil=True)
def survey(first, last):
    """How many windows fail to end after their start, the earliest start, the latest end."""
    wrong, low, high = 0, first[0], last[0]
    for i in range(len(first)):
        wrong += 0 if last[i] > first[i] else 1
        low = min(low, first[i])
        high = max(high, last[i])
    return wrong, low, high


@njit(cache=True, nogil=True)
def _by_start(first, last, times):
    """Windows by start, stably (no order where they are so already); where each start's begin."""
    n = len(first)
    edges = np.zeros(times + 1, dtype=np.int64)
    falls, longest = 0, last[0] - first[0]
    for i in range(n - 1):
        falls += first[i + 1] < first[i]
        length = last[i + 1] - first[i + 1]
        longest = max(longest, length)
    if falls == 0:
        _runs(first, edges)
        return np.empty(0, dtype=np.int64), edges, longest
    for i in range(n):
        edges[first[i] + 1] += 1
    for t in range(times):
        edges[t + 1] += edges[t]
    order = np.empty(n, dtype=np.int64)
    place = edges.copy()
    for i in range(n):
        order[place[first[i]]] = i
        place[first[i]] += 1
    return order, edges, longest


@njit(cache=True, nogil=True)
def _runs(first, edges):
    """Where each start's windows begin, of windows by start; runs are often as long as the last."""
    n, i, t, length = len(first), 0, 0, 1
    while i < n:
        stop = i + length
        if stop > n or first[stop - 1] != first[i] or (stop < n and first[stop] == first[i]):
            stop = i + 1
            while stop < n and first[stop] == first[i]:
                stop += 1
        edges[t : first[i] + 1] = i
        t, length, i = first[i] + 1, stop - i, stop
    edges[t:] = n


@njit(cache=True, nogil=True)
def _ends(last, times):
    """The times at which windows end, and for each time how many of them have come."""
    rank = np.zeros(times, dtype=np.int32)
    for i in range(len(last)):
        rank[last[i]] = 1
    moments = np.flatnonzero(rank)
    for t in range(1, times):
        rank[t] += rank[t - 1]
    return moments, rank


@njit(cache=True, nogil=True)
def _fill(last, value, order, edges, rank, table):
    """table[c, r]: the largest sum of at most c + 1 windows that have ended by the r-th end."""
    columns = table.shape[1]
    offers = np.empty(columns)
    done = 0
    for t in range(len(rank)):
        begin, stop = edges[t], edges[t + 1]
        if begin == stop:
            continue
        _settle(table, done, rank[t])
        done = rank[t]
        if not len(order) and _rising(last[begin:stop], rank):
            low, high = rank[last[begin]], rank[last[stop - 1]] + 1
            _gains(value[begin:stop], offers[low:high])
            _offer(table, done, offers, low, high)
            continue
        low, high = columns, 0
        for place in range(begin, stop):
            column = rank[last[order[place] if len(order) else place]]
            low, high = min(low, column), max(high, column + 1)
        sparse = high - low > SPARSE * (stop - begin)
        if not sparse:
            offers[low:high] = -np.inf
        for place in range(begin, stop):
            i = order[place] if len(order) else place
            column = rank[last[i]]
            if not value[i] > 0:
                continue
            if sparse:
                offers[column] = value[i]
                _offer(table, done, offers, column, column + 1)
            else:
                offers[column] = max(offers[column], value[i])
        if not sparse:
            _offer(table, done, offers, low, high)
    _settle(table, done, columns - 1)


@njit(cache=True, nogil=True)
def _rising(last, rank):
    """Whether the windows end one end after the other."""
    steps = 0
    for i in range(1, len(last)):
        steps += last[i] > last[i - 1]
    n = len(last) - 1
    return steps == n and rank[last[n]] - rank[last[0]] == n


@njit(cache=True, nogil=True)
def _gains(value, offers):
    for i in range(len(value)):
        offers[i] = value[i] if value[i] > 0 else -np.inf


@njit(cache=True, nogil=True)
def _settle(table, done, until):
    """What was reached by one end is reached by the next."""
    for c in range(len(table)):
        for r in range(done + 1, until + 1):
            table[c, r] = max(table[c, r], table[c, r - 1])


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _offer(table, done, offers, low, high):
    """Add the windows that start now to the best that has ended."""
    for c in range(len(table)):
        before = table[c - 1, done] if c else 0.0
        # Views, since an index that might be negative keeps a loop from being vectorised.
        reached, offered = table[c, low:high], offers[low:high]
        for r in range(len(offered)):
            brought = before + offered[r]
            reached[r] = max(reached[r], brought)


@njit(cache=True, nogil=True)
def _trace(first, last, value, order, edges, moments, rank, table, longest):
    """Walk back: where a sum first appears, one of the windows that end there brought it.

    Fewer windows are preferred to more, earlier ends to later ones, and of the windows that fit
    the one that starts first, then the one given first, is taken.
    """
    chosen = np.empty(len(table), dtype=np.int64)
    found, c, r = 0, len(table) - 1, table.shape[1] - 1
    while c >= 0 and table[c, r] > 0:
        while c > 0 and table[c - 1, r] == table[c, r]:
            c -= 1
        while table[c, r - 1] == table[c, r]:
            r -= 1
        t, wanted = moments[r - 1], table[c, r]
        for place in range(edges[max(0, t - longest)], edges[t]):
            i = order[place] if len(order) else place
            before = table[c - 1, rank[first[i]]] if c else 0.0
            if last[i] == t and value[i] > 0 and before + value[i] == wanted:
                chosen[found] = i
                found += 1
                c, r = c - 1, rank[first[i]]
                break
    return chosen[:found][::-1].copy()
