"""Words, the result table and the charts: both languages, unique keys, nothing small, nothing empty."""

import json
import random
import re
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd
import pyarrow as pa
import pytest

from waage import customer_base as base
from waage.customer_base.definitions import CHAPTERS
from waage.customer_base.profile_plots import _cell
from waage.errors import WaageError

from .book import order

matplotlib.use("Agg")
UNTIL = date(2025, 6, 20)


def everything(make_orders, duck, rows, until=UNTIL, attributes=True, **more):
    orders = make_orders(rows)
    ids = sorted({row["person_id"] for row in rows if row["person_id"]})
    columns = {"person_id": pa.array(ids, pa.string())}
    if attributes:
        columns["gender"] = pa.array(["f" if i % 3 else "m" for i, _ in enumerate(ids)], pa.string())
        columns["postcode"] = pa.array([f"{i % 9}0000" for i, _ in enumerate(ids)], pa.string())
    persons = duck.create_table("report_persons", pa.table(columns), temp=True, overwrite=True)
    status = pa.table({"person_id": ids[::2], "status": ["granted"] * len(ids[::2])})
    status = duck.create_table("report_status", status, temp=True, overwrite=True)
    activity = base.activity(orders, until, **more)
    past, active = activity.history, base.active_customers(orders, until).cache()
    return SimpleNamespace(
        activity=activity,
        rates=base.rates(orders, past),
        channels=base.channels(orders, past),
        newcomers=base.newcomers(orders, activity),
        concentration=base.concentration(active),
        cohorts=base.cohorts(orders, activity),
        portrait=base.portrait(active, persons),
        permissions=base.permissions({"email": status, "post": status}, persons, active),
    )


def many(n=5000):
    draw, rows = random.Random(5), []
    for i in range(n):
        at = draw.randrange(1290)
        person = f"p{draw.randrange(at // 4, 900 + 2 * at):04d}"
        status = "cancelled" if i % 17 == 0 else "shipped"
        rows.append(
            order(person, date(2022, 1, 1) + timedelta(at), 5 + i % 90, status, ("web", "store")[i % 2], number=i + 1)
        )
    return rows


@pytest.fixture
def figures(make_orders, duck):
    return everything(make_orders, duck, many())


def table_of(figures):
    parts = {name: part for name, part in vars(figures).items() if name != "cohorts"}
    return base.customer_base_table(**parts)


class TestWords:
    def test_every_measure_has_both_languages(self):
        for key, measure in base.DEFINITIONS.items():
            assert all(measure[:4]) and measure.kind in ("count", "money", "share", "number"), key
            assert measure.definition_en != measure.definition_de and measure.definition_de.endswith(".")
        for en, de, keys in CHAPTERS.values():
            assert en != de and set(keys) <= set(base.DEFINITIONS)

    def test_every_measure_is_in_the_appendix(self):
        for language in ("en", "de"):
            text = base.appendix(language)
            assert all(base.definition(key, language) in text for key in base.DEFINITIONS)

    def test_a_chapter_leaves_out_what_cannot_be_told(self):
        assert base.definition("new") in base.chapter("months")
        assert base.definition("new") not in base.chapter("months", without=["new"])

    def test_whom_totals_hold_is_said_in_both_languages(self):
        for language, text in (("en", "Lorenz curve), which profile nobody"), ("de", "Lorenzkurve), die niemanden")):
            assert text in base.appendix(language) and text in base.chapter("portrait", language)

    def test_a_misspelt_measure(self):
        with pytest.raises(WaageError, match="did you mean 'active'"):
            base.word("actve")

    def test_every_shown_measure_is_defined(self, figures):
        assert set(figures.activity.table["measure"]) <= set(base.DEFINITIONS)
        assert set(figures.rates.table["measure"]) <= set(base.DEFINITIONS)
        assert set(figures.portrait.table["attribute"]) <= set(base.DEFINITIONS)


class TestTable:
    def test_one_row_a_key_and_a_value_in_each(self, figures):
        table = table_of(figures)
        assert not table.duplicated(["month", "measure", "group"]).any() and table["value"].notna().all()
        assert list(table.columns) == ["month", "measure", "group", "value", "value_before", "complete"]
        assert table["complete"].dtype == bool and table["value"].dtype == float and table["group"].notna().all()
        wanted = {"active", "new_fy", "net_revenue", "returning_rate_fy", "repeat_rate_12m", "gini", "top_share"}
        wanted |= {"portrait_gender", "completeness", "permission_email_all", "channel_orders", "first_channel"}
        assert wanted <= set(table["measure"])

    def test_it_holds_the_figures(self, figures):
        table = table_of(figures).set_index(["month", "measure", "group"])
        june = figures.activity.series("demand").iloc[-1]
        row = table.loc[(date(2025, 6, 1), "demand", "all")]
        assert (row.value, row.value_before, row.complete) == (june.value, june.value_before, False)
        assert not table.loc[(date(2025, 1, 1), "active_fy", "all"), "complete"]
        assert table.loc[(date(2024, 1, 1), "active_fy", "all"), "complete"]
        assert table.loc[(date(2025, 6, 1), "gini", "all"), "value"] == figures.concentration.gini

    def test_what_cannot_be_told_has_no_row(self, figures):
        table = table_of(figures)
        new = table[table["measure"] == "new"]
        series = figures.activity.series("new")
        assert series["period"].min() == pd.Timestamp("2023-01-01")
        shown = series[~series["hidden"]]
        assert new["month"].tolist() == [period.date() for period in shown["period"]] and 10 < len(shown) < len(series)
        assert not set(table["measure"]) & {"known"}

    def test_no_small_group_is_written(self, make_orders, duck):
        rows = [*many(), *(order(f"x{i}", date(2025, 5, 1), channel="fax", number=9000 + i) for i in range(6))]
        found = everything(make_orders, duck, rows)
        table = table_of(found)
        persons = "(active|new|reactivated|lapsed|ordering)(_fy|_12m)?$|portrait_[a-z]+$|permission_|channel_customers"
        counts = table[table["measure"].str.match(persons)]
        assert {"active", "lapsed_fy", "new_12m", "permission_post_all"} <= set(counts["measure"])
        assert not counts[["value", "value_before"]].stack().between(1, 9).any()
        assert not (table["group"] == "fax").any()
        few = everything(make_orders, duck, [*many()[:300], order("x", date(2023, 8, 1), 7, number=9000)])
        assert (few.activity.table["value"].between(1, 9) & (few.activity.table["measure"] == "ordering")).sum() == 0
        table = table_of(few)
        counts = table[table["measure"].str.match(persons)]
        assert len(counts) and not counts[["value", "value_before"]].stack().between(1, 9).any()
        shown = table[table["measure"] == "ordering"]["month"]
        for volume in ("orders", "demand", "net_revenue", "basket"):
            assert set(table[table["measure"] == volume]["month"]) <= set(shown)

    def test_equal_input_gives_an_equal_table(self, make_orders, duck, figures):
        again = everything(make_orders, duck, many()[::-1])
        pd.testing.assert_frame_equal(table_of(figures), table_of(again), check_exact=True)
        pd.testing.assert_frame_equal(figures.cohorts.table, again.cohorts.table, check_exact=True)

    def test_a_study_without_anything_else(self, make_orders, duck):
        rows = [order("a", date(2025, 6, 1), number=1)]
        found = everything(make_orders, duck, rows, attributes=False, min_cell=1)
        found.permissions = None
        table = table_of(found)
        assert "active_12m" not in set(table["measure"])
        text = base.base_finding(found.activity, found.rates)
        assert "1 customer has ordered since the data begin on 1 June 2025" in text
        assert "1 Kunde hat bestellt" in base.base_finding(found.activity, found.rates, "de")
        (ax,) = base.plot_base(found.activity)
        assert [bar.get_height() for bar in ax.patches] == [1]
        assert base.plot_months(found.activity, measures=["new"]) == [] and base.summary_table(found.activity).empty
        plt.close("all")
        assert "portrait_gender" not in set(table["measure"]) and "gini" not in set(table["measure"])


class TestFewCustomers:
    """A base below min_cell, and one whose every group is."""

    def test_fewer_than_min_cell_in_all_are_one_sentence(self, make_orders, duck):
        rows = [order(f"p{i}", date(2023, 1, 1) + timedelta(i * 100), number=i + 1) for i in range(9)]
        found = everything(make_orders, duck, rows)
        text = base.base_finding(found.activity, found.rates)
        assert text == "**Fewer than 10 customers have ordered up to 20 June 2025: no figure about them is shown.**"
        assert "Weniger als 10 Kunden" in base.base_finding(found.activity, found.rates, "de")
        assert table_of(found).empty
        for language in ("en", "de"):
            assert not re.search(r"[1-9]", " ".join(base.summary_table(found.activity, language)["last_12_months"]))
            base.plot_base(found.activity, language=language), base.plot_months(found.activity, language=language)
        plt.close("all")

    def test_forty_customers_have_a_base_but_no_flows(self, make_orders, duck):
        rows = [
            order(f"p{i % 40}", date(2022, 2, 1) + timedelta((i * 37 + i % 40 * (i % 7)) % 1230)) for i in range(300)
        ]
        found = everything(make_orders, duck, rows)
        summary = base.summary_table(found.activity).set_index("measure")["last_12_months"]
        assert summary["New customers"] == summary["Lapsed"] == "hidden" and int(summary["Active customers"]) > 30
        assert "is hidden, as a group among them is small" in base.base_finding(found.activity, found.rates)
        (ax,) = base.plot_base(found.activity)
        assert "Active" in ax.get_title() and base.plot_months(found.activity, measures=["new", "lapsed"]) == []
        plt.close("all")
        assert "hidden" in base.newcomers_finding(found.newcomers, found.activity) or found.newcomers.table.empty


def texts_of(axes):
    axes = list(axes) if isinstance(axes, list | tuple) else [axes]
    found = []
    for ax in axes:
        found += [ax.get_title(loc=loc) for loc in ("left", "center")] + [ax.get_xlabel(), ax.get_ylabel()]
        found += [text.get_text() for text in ax.texts]
        found += [label.get_text() for label in ax.get_yticklabels()]
        found += [text.get_text() for text in ax.get_legend().get_texts()] if ax.get_legend() else []
    return " ".join(found)


def draw(figures, language):
    look = {"language": language}
    yield "base", base.plot_base(figures.activity, **look)
    yield "months", base.plot_months(figures.activity, **look)
    yield "rates", base.plot_rates(figures.rates, until=UNTIL, **look)
    yield "channels", base.plot_channels(figures.channels, **look)
    for value in ("share", "customers", "net_revenue"):
        yield value, base.plot_cohorts(figures.cohorts, value=value, **look)
    yield "second", base.plot_second_order(figures.newcomers, **look)
    yield "mix", base.plot_mix(figures.newcomers, **look)
    yield "lorenz", base.plot_lorenz(figures.concentration, **look)
    yield "portrait", base.plot_portrait(figures.portrait, **look)
    yield "permissions", base.plot_permissions(figures.permissions, **look)


class TestCharts:
    def test_both_languages_say_it_differently(self, figures):
        english = {name: texts_of(axes) for name, axes in draw(figures, "en")}
        plt.close("all")
        german = {name: texts_of(axes) for name, axes in draw(figures, "de")}
        plt.close("all")
        for name, text in english.items():
            assert text.strip() and text != german[name], name
            assert not re.search(r"\bnan\b|None|[a-z]_[a-z]", text + german[name]), (name, text)
        assert "Vorjahr" in german["base"] and "Wiederkehrrate" in german["rates"]

    def test_the_base_shows_the_active_customers(self, figures):
        upper, lower = base.plot_base(figures.activity)
        active = figures.activity.series("active")["value"]
        assert upper.lines[1].get_ydata().tolist() == active.tail(36).tolist()
        heights = [bar.get_height() for bar in lower.patches]
        flows = figures.activity.series("lapsed")["value"]
        assert -flows.dropna().iloc[-1] in heights and flows.isna().any()
        assert "gaps: hidden for privacy" in lower.get_title() and "gaps" not in upper.get_title()
        plt.close("all")

    def test_a_short_history_still_has_a_picture(self, make_orders, duck):
        rows = [order(f"p{i}", date(2024, 1, 1) + timedelta(i // 2), number=i + 1) for i in range(720)]
        found = everything(make_orders, duck, rows, until=date(2024, 12, 31), attributes=False)
        (ax,) = base.plot_base(found.activity)
        assert [bar.get_height() for bar in ax.patches] == found.activity.series("ordering")["value"].tolist()
        axes = base.plot_months(found.activity)
        assert len(axes) == 3 and all(ax.lines for ax in axes)
        assert "12 months before" not in base.summary_table(found.activity).columns
        assert list(base.summary_table(found.activity).columns) == ["measure", "last_12_months"]
        plt.close("all")

    def test_the_origin_has_one_label(self, figures):
        ax = base.plot_lorenz(figures.concentration)
        ax.figure.canvas.draw()
        labels = [label.get_text() for axis in (ax.xaxis, ax.yaxis) for label in axis.get_ticklabels()]
        assert labels.count("0%") == 1 and labels.count("100%") == 2
        plt.close("all")

    def test_hidden_cells_show_no_number(self, figures):
        table = figures.cohorts.table
        assert table["customers"].isna().any()
        ax = base.plot_cohorts(figures.cohorts, value="customers")
        shown = [text.get_text() for text in ax.texts[:-1]]
        told = table[table["age"] < 16]["customers"].dropna()
        newest = table["cohort"].drop_duplicates().tail(16)
        told = table[(table["age"] < 16) & table["cohort"].isin(newest)]["customers"].dropna()
        assert sorted(shown) == sorted(_cell(n, "customers", "en") for n in told)
        plt.close("all")

    def test_amounts_in_cells_are_rounded_and_the_title_names_their_unit(self, make_orders):
        rows = [order(f"p{i}", date(2024, 1, 1 + i), 1234.5, number=i + 1) for i in range(20)]
        table = make_orders(rows)
        found = base.cohorts(table, base.activity(table, UNTIL))
        for language, title, text in [("en", "(€k)", "25"), ("de", "(Tsd.\u00a0€)", "25")]:
            ax = base.plot_cohorts(found, value="net_revenue", language=language)
            assert ax.get_title().endswith(title) and ax.texts[0].get_text() == text
        assert _cell(1234567, "customers", "de") == "1.234.567" and _cell(8_200, "net_revenue", "en", 1000) == "8.2"
        plt.close("all")

    def test_year_table_sets_the_running_year_beside_the_same_days(self, figures):
        table = base.year_table(figures.activity, figures.rates).set_index("measure")
        fiscal = figures.activity.series("demand", "fiscal_year").iloc[-1]
        assert not fiscal.complete
        assert list(table.columns)[-2:] == ["FY 2024 to date", "FY 2025 to date"]
        assert table.loc["Demand", "FY 2025 to date"] == f"€{fiscal.value:,.0f}"
        assert table.loc["Demand", "FY 2024 to date"] == f"€{fiscal.value_before:,.0f}"
        german = base.year_table(figures.activity, figures.rates, "de")
        assert list(german.columns)[-1] == "GJ 2025 bis Stichtag" and "Wiederkehrrate" in set(german["measure"])


def test_the_notebook_computes_the_active_customers_once():
    path = Path(__file__).parents[2] / "notebooks" / "06_customer_base.ipynb"
    text = path.read_text(encoding="utf-8")
    assert text.count("base.active_customers(orders, config.as_of).cache()") == text.count("active_customers(") == 1


def test_the_notebook_takes_its_words_from_the_definitions():
    path = Path(__file__).parents[2] / "notebooks" / "06_customer_base.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert all(f'"{chapter}"' in text for chapter in CHAPTERS if chapter != "appendix") and "base.appendix" in text
