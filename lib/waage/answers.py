"""Answers to items with numbers, ready to be averaged: no codes for missing ones, more is better on every scale."""

import re

import ibis
import ibis.expr.types as ir
import pandas as pd

#: Kinds of items whose answers are numbers.
NUMERIC = ("scale", "binary")


def answered(responses: ir.Table, items: ir.Table) -> ir.Table:
    """Return the answers to some items whose answers are numbers.

    Parameters
    ----------
    responses : ibis table
        As in the contract.
    items : ibis table
        Those asked for, with all columns of the contract; kinds other than scale and binary are left out.

    Returns
    -------
    ibis table
        The columns of `responses`, lazily: without missing values, without the item's `missing_codes`, without what
        lies outside its scale; scales whose best answer is the lowest are turned round, without limits left out.
    """
    book = items.filter(items.kind.isin(NUMERIC)).execute()
    # A scale without limits cannot be turned round.
    book = book[
        (book["kind"] == "binary") | (book["best"] != "min") | book[["scale_min", "scale_max"]].notna().all(axis=1)
    ]
    low = book["scale_min"].astype(float).where(book["kind"] == "scale", 0.0)
    high = book["scale_max"].astype(float).where(book["kind"] == "scale", 1.0)
    turned = (book["kind"] == "scale") & (book["best"] == "min")
    limits = pd.DataFrame({"instrument": book["instrument"], "item": book["item"], "low": low, "high": high})
    limits = limits.assign(turned=turned.astype(bool)).astype({"instrument": "str", "item": "str"})
    known = responses.inner_join(ibis.memtable(limits), ["instrument", "item"])
    inside = known.value.between(known.low.fill_null(float("-inf")), known.high.fill_null(float("inf")))
    known = known.filter(known.value.notnull() & inside)
    codes = [
        (row.instrument, row.item, float(code))
        for row in book.itertuples()
        for code in (re.split(r"[\s,;]+", row.missing_codes.strip()) if isinstance(row.missing_codes, str) else [])
        if re.fullmatch(r"-?\d+(\.\d+)?", code)
    ]
    if codes:
        told = pd.DataFrame(codes, columns=["instrument", "item", "value"])
        known = known.anti_join(ibis.memtable(told), ["instrument", "item", "value"])
    value = ibis.ifelse(known.turned, known.low + known.high - known.value, known.value)
    return known.mutate(value=value).drop("low", "high", "turned")
