"""How two groups of ids compare, field by field, as SQL that Splink evaluates."""

import logging
import re
from collections.abc import Mapping


# CASE, not AND: DuckDB may work out both sides of an AND, and these functions are where the time goes. The third
# argument of a similarity is where it gives up; lower than the cut, at which rounding would decide.
def _typo(left: str, right: str) -> str:
    """Return SQL that is true where at most one letter differs, or two neighbours are exchanged."""
    # Such words are about as long, and begin or end alike.
    return (
        f"CASE WHEN abs(length({left}) - length({right})) <= 1 "
        f"AND (length({left}) <= 2 OR {left}[1] = {right}[1] OR {left}[-1] = {right}[-1]) "
        f"THEN damerau_levenshtein({left}, {right}) <= 1 ELSE false END"
    )


def _two_off(left: str, right: str) -> str:
    return f"CASE WHEN abs(length({left}) - length({right})) <= 2 THEN levenshtein({left}, {right}) <= 2 ELSE false END"


_EITHER = "({0}_1_l = {0}_1_r OR {0}_1_l = {0}_2_r OR {0}_2_l = {0}_1_r OR {0}_2_l = {0}_2_r)"
_SWAPPED = (
    "(first_name_l = last_name_r OR first_name_r = last_name_l OR CASE WHEN initial_l = last_name_r[1] THEN "
    "jaro_winkler_similarity(first_name_l, last_name_r, 0.85) >= 0.9 "
    "AND jaro_winkler_similarity(last_name_l, first_name_r, 0.85) >= 0.9 ELSE false END)"
)
_TOWN = f"({_EITHER.format('postcode')} OR city_l = city_r)"
_SAME_STREET = _EITHER.format("street")
_CLOSE_STREET = f"({_two_off('street_1_l', 'street_1_r')} OR {_two_off('street_2_l', 'street_2_r')})"
_SAME_LAST = "(last_name_l = last_name_r OR last_name_2_l = last_name_r OR last_name_l = last_name_2_r)"
_CLOSE_LAST = (
    "CASE WHEN jaro_winkler_similarity(last_name_l, last_name_r, 0.85) >= 0.9 THEN true "
    "WHEN last_head_l IN (last_head_r, last_tail_r) OR last_tail_l IN (last_head_r, last_tail_r) THEN true "
    f"WHEN {_SWAPPED} THEN true ELSE {_typo('last_name_l', 'last_name_r')} END"
)
_COLUMN = re.compile(r"\b(\w+)_[lr]\b")
_TURNED = "birth_date_l[6:7] = birth_date_r[9:10] AND birth_date_r[6:7] = birth_date_l[9:10]"

COMPARISONS: dict[str, tuple[tuple[str, str, float], ...]] = {
    "first_name": (
        ("same", "first_name_l = first_name_r AND length(first_name_l) > 1", 0.78),
        ("swapped", _SWAPPED, 0.01),
        ("initial", "initial_l = initial_r AND least(length(first_name_l), length(first_name_r)) = 1", 0.10),
        (
            "similar",
            "CASE WHEN jaro_winkler_similarity(first_name_l, first_name_r, 0.85) >= 0.88 "
            f"OR first_head_l = first_head_r THEN true ELSE {_typo('first_name_l', 'first_name_r')} END",
            0.08,
        ),
        ("different", "ELSE", 0.03),
    ),
    "last_name": (
        ("same", _SAME_LAST, 0.85),
        ("similar", _CLOSE_LAST, 0.10),
        ("different", "ELSE", 0.05),
    ),
    "address": (
        (
            "same",
            f"{_EITHER.format('address')} OR ({_SAME_STREET} AND house_no_l = house_no_r AND city_l = city_r)",
            0.75,
        ),
        ("near", f"CASE WHEN house_no_l = house_no_r OR {_TOWN} THEN {_CLOSE_STREET} ELSE false END", 0.08),
        ("street", f"{_SAME_STREET} OR (house_no_l = house_no_r AND {_TOWN})", 0.02),
        ("town", _TOWN, 0.03),
        ("different", "ELSE", 0.12),
    ),
    "birth_date": (
        ("same", "birth_date_l = birth_date_r", 0.95),
        (
            "similar",
            "CASE WHEN birth_date_l[:4] = birth_date_r[:4] THEN birth_date_l[6:] = birth_date_r[6:] "
            f"OR birth_date_l[6:] = '01-01' OR birth_date_r[6:] = '01-01' OR ({_TURNED}) "
            "OR ((birth_date_l[6:7] = birth_date_r[6:7] OR birth_date_l[9:] = birth_date_r[9:]) "
            "AND damerau_levenshtein(birth_date_l, birth_date_r) <= 1) "
            "WHEN birth_date_l[6:] = birth_date_r[6:] THEN damerau_levenshtein(birth_date_l, birth_date_r) <= 1 "
            "ELSE false END",
            0.04,
        ),
        ("different", "ELSE", 0.01),
    ),
    "phone": (
        ("same", _EITHER.format("phone"), 0.75),
        ("similar", _two_off("phone_1_l", "phone_1_r"), 0.05),
        ("different", "ELSE", 0.20),
    ),
    "email": (
        ("same", _EITHER.format("email"), 0.75),
        (
            "similar",
            "CASE WHEN mail_domain_l = mail_domain_r AND mail_digits_l = mail_digits_r "
            f"THEN {_typo('email_1_l', 'email_1_r')} ELSE false END",
            0.04,
        ),
        ("different", "ELSE", 0.21),
    ),
    "account": (
        ("two at one shop", "(accounts_l & accounts_r) > 0", 0.08),
        ("different", "ELSE", 0.92),
    ),
}
"""Comparison -> (level, SQL, m assumed before anything is learnt: judgement, worth `DOUBT` pairs)."""

_KNOWN = {
    "first_name": "first_name",
    "last_name": "last_name",
    "address": "street_1",
    "birth_date": "birth_date",
    "phone": "phone_1",
    "email": "email_1",
    "account": "nullif(accounts, 0)",
}


def weigh(
    con,
    table: str,
    pairs: str,
    comparisons: Mapping[str, list[tuple]],
    prior: float = 0.5,
    floor: float | None = None,
) -> str:
    """Let Splink weigh pairs of rows.

    Parameters
    ----------
    con : DuckDB connection
    table : str
        With `unique_id` and the columns that the comparisons name.
    pairs : str
        Table with l and r.
    comparisons : mapping
        name -> [(level, SQL, m, u), ...], the first that holds; m None marks the level that weighs nothing.
    prior : float
        Probability that two random rows match.
    floor : float, optional
        Match weight (bits) below which a pair is left out.

    Returns
    -------
    str
        Name of the result: unique_id_l, unique_id_r, match_weight, mw_<comparison>.
    """
    from splink import DuckDBAPI, Linker

    # It says that nothing is trained by itself: nothing is to be. A linker left to itself sets its own level again.
    logging.getLogger("splink").setLevel(logging.ERROR)
    settings = {
        "link_type": "dedupe_only",
        "probability_two_random_records_match": prior,
        "comparisons": [
            {
                "output_column_name": name,
                "comparison_levels": [
                    {"sql_condition": sql, "label_for_charts": level}
                    | ({"is_null_level": True} if m is None else {"m_probability": m, "u_probability": u})
                    for level, sql, m, u in levels
                ],
            }
            for name, levels in comparisons.items()
        ],
        # Pairs are handed over; Splink wants a rule all the same.
        "blocking_rules_to_generate_predictions": ["l.unique_id = r.unique_id"],
        "retain_matching_columns": False,
        "retain_intermediate_calculation_columns": True,
    }
    # Splink copies the rows for either side, with all their columns.
    named = {column for levels in comparisons.values() for _, sql, *_ in levels for column in _COLUMN.findall(sql)}
    columns = ", ".join(["unique_id", *sorted(named)])
    con.execute(f"CREATE OR REPLACE TEMP VIEW compared_rows AS SELECT {columns} FROM {table}")
    api = DuckDBAPI(connection=con)
    linker = Linker(api.register("compared_rows"), settings, log_level=None, validate_settings=False)
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE splink_pairs AS
        SELECT 0 AS match_key, l AS join_key_l, r AS join_key_r FROM {pairs}"""
    )
    linker.table_management.register_blocked_pairs_for_predict(api.register("splink_pairs"))
    predicted = linker.inference.predict(threshold_match_weight=floor, warning_mode="never")
    con.execute("DROP TABLE splink_pairs")
    con.execute("DROP VIEW compared_rows")
    return predicted.physical_name


def level_table(con, table: str, pairs: str) -> str:
    """Write l, r and the number of each comparison's level (1: the first; 0: unknown); returns the table's name."""
    comparisons = {
        name: [unknown(name)] + [(level, sql, 2.0 ** -(i + 1), 1.0) for i, (level, sql, _) in enumerate(levels)]
        for name, levels in COMPARISONS.items()
    }
    # Splink hands out weights, not levels; a weight of -k bits here says that the k-th level holds.
    result = weigh(con, table, pairs, comparisons)
    columns = ", ".join(f"(-round(mw_{name}))::INT AS {name}" for name in COMPARISONS)
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE compared AS
        SELECT unique_id_l AS l, unique_id_r AS r, {columns} FROM {result}"""
    )
    con.execute(f"DROP TABLE {result}")
    return "compared"


def unknown(name: str) -> tuple:
    """Return the level of a comparison that holds where one side says nothing."""
    return "unknown", f"NOT ({known(name)})", None, None


def known(name: str) -> str:
    """Return SQL that is true where both sides say something."""
    left, right = (
        re.sub(r"\b(\w*name|street_1|birth_date|phone_1|email_1|accounts)\b", rf"\1_{side}", _KNOWN[name])
        for side in "lr"
    )
    return f"{left} IS NOT NULL AND {right} IS NOT NULL"
