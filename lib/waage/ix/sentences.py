"""The sentences of checks and grades, English and German."""

#: Letter: words in both languages.
GRADES = {
    "A": ("experiment", "Experiment"),
    "B": ("incident evidence", "Beleg durch Störungen"),
    "C": ("panel, all checks passed", "Panel, alle Prüfungen bestanden"),
    "D": ("panel, a check failed or could not be made", "Panel, eine Prüfung nicht bestanden oder nicht möglich"),
    "E": ("correlation only", "nur Korrelation"),
}

CHECKS: dict[str, dict[str, tuple[str, str]]] = {
    "lead": {
        "passed": (
            "Next week's experience does not explain this week's demand. A pass is no proof: mild effects of busy"
            " weeks on the same week's experience escape this test.",
            "Das Erlebnis der nächsten Woche erklärt die Nachfrage dieser Woche nicht. Bewiesen ist damit nichts:"
            " schwache Wirkungen voller Wochen auf das Erlebnis derselben Woche entgehen dieser Prüfung.",
        ),
        "failed": (
            "Next week's experience seems to move this week's demand ({effect} per point): demand acts on "
            "experience, or both follow something unseen.",
            "Das Erlebnis der nächsten Woche scheint die Nachfrage dieser Woche zu bewegen ({effect} je Punkt): "
            "die Nachfrage wirkt auf das Erlebnis, oder beide folgen etwas Ungesehenem.",
        ),
    },
    "same_week": {
        "passed": (
            "Without the same week's experience the effect is not larger ({without} instead of {eiv} per point).",
            "Ohne das Erlebnis derselben Woche ist die Wirkung nicht größer ({without} statt {eiv} je Punkt).",
        ),
        "failed": (
            "Without the same week's experience the effect is clearly larger ({without} instead of {eiv} per "
            "point): busy weeks seem to wear the experience down.",
            "Ohne das Erlebnis derselben Woche ist die Wirkung deutlich größer ({without} statt {eiv} je Punkt): "
            "volle Wochen scheinen das Erlebnis zu verschlechtern.",
        ),
    },
    "incidents": {
        "passed": (
            "Incidents say the same as the panel ({iv} and {eiv} per point), closely enough for a bias of half "
            "the effect to have been noticed.",
            "Störungen sagen dasselbe wie das Panel ({iv} und {eiv} je Punkt), genau genug, dass eine Verzerrung "
            "um die halbe Wirkung aufgefallen wäre.",
        ),
        "failed": (
            "Incidents contradict the panel: {iv} per point where experience fell for a known reason, {eiv} in "
            "the panel.",
            "Störungen widersprechen dem Panel: {iv} je Punkt, wo das Erlebnis aus bekanntem Grund fiel, {eiv} im"
            " Panel.",
        ),
        "wide": (
            "Incidents agree with the panel ({iv} and {eiv} per point), but too loosely to notice a bias of half "
            "the effect.",
            "Störungen passen zum Panel ({iv} und {eiv} je Punkt), aber zu ungenau, um eine Verzerrung um die "
            "halbe Wirkung zu bemerken.",
        ),
        "weak": (
            "Incidents move the score too little to test the panel (F = {f}).",
            "Störungen bewegen den Wert zu wenig, um das Panel zu prüfen (F = {f}).",
        ),
        "none": (
            "No incidents of single units are recorded, so that busy weeks that wear the experience down cannot "
            "be told from its effect.",
            "Störungen einzelner Einheiten sind nicht erfasst; so lässt sich nicht trennen, ob volle Wochen das "
            "Erlebnis verschlechtern oder das Erlebnis wirkt.",
        ),
    },
    "kinds": {
        "passed": (
            "{groups} kinds of incidents, each alone, say the same ({low} to {high} per point): nothing shows one that "
            "keeps customers from buying by other ways than the experience.",
            "{groups} Arten von Störungen sagen je für sich dasselbe ({low} bis {high} je Punkt): Nichts zeigt eine, "
            "die Kunden auf anderem Weg als über das Erlebnis vom Kaufen abhält.",
        ),
        "failed": (
            "Kinds of incidents contradict each other ({low} to {high} per point): at least one keeps customers from "
            "buying by other ways than the experience, and incidents are no evidence (parameter `touched`).",
            "Arten von Störungen widersprechen einander ({low} bis {high} je Punkt): Mindestens eine hält Kunden auf "
            "anderem Weg als über das Erlebnis vom Kaufen ab, und Störungen sind kein Beleg (Parameter `touched`).",
        ),
        "one": (
            "Fewer than two kinds of incidents move the score strongly, so nothing tests whether they act through the "
            "experience alone.",
            "Weniger als zwei Arten von Störungen bewegen den Wert deutlich; ob sie allein über das Erlebnis wirken, "
            "ist so nicht prüfbar.",
        ),
    },
    "feedback": {
        "passed": (
            "Last week's demand does not explain this week's experience.",
            "Die Nachfrage der Vorwoche erklärt das Erlebnis dieser Woche nicht.",
        ),
        "failed": (
            "Last week's demand moves this week's experience ({points} points for 1 % more demand): cause and "
            "effect run both ways.",
            "Die Nachfrage der Vorwoche bewegt das Erlebnis dieser Woche ({points} Punkte für 1 % mehr "
            "Nachfrage): Ursache und Wirkung laufen in beide Richtungen.",
        ),
    },
    "stability": {
        "passed": (
            "The first and the second half of the time agree ({first} and {second} per point).",
            "Erste und zweite Hälfte der Zeit stimmen überein ({first} und {second} je Punkt).",
        ),
        "failed": (
            "The effect changed over time: {first} per point in the first half, {second} in the second.",
            "Die Wirkung hat sich verändert: {first} je Punkt in der ersten Hälfte, {second} in der zweiten.",
        ),
        "short": (
            "The time is too short to compare its two halves.",
            "Die Zeit ist zu kurz, um ihre Hälften zu vergleichen.",
        ),
    },
    "one_unit": {
        "passed": (
            "No single unit decides: without any one of them the effect lies between {low} and {high} per point.",
            "Keine einzelne Einheit entscheidet: ohne irgendeine liegt die Wirkung zwischen {low} und {high} je Punkt.",
        ),
        "failed": (
            "The estimate hangs on one unit: without single units the effect lies between {low} and {high} per point.",
            "Die Schätzung hängt an einer Einheit: ohne einzelne Einheiten liegt sie zwischen {low} und {high} je"
            " Punkt.",
        ),
    },
    "lag_window": {
        "passed": (
            "Looking at more or fewer weeks of delay gives {low} to {high} per point; the longest window differs by "
            "{change} (99%: {from_} to {to}), which may be chance.",
            "Mehr oder weniger Wochen Verzögerung ergeben {low} bis {high} je Punkt; das längste Fenster weicht um "
            "{change} ab (99 %: {from_} bis {to}), was Zufall sein kann.",
        ),
        "failed": (
            "The effect depends on how many weeks of delay are looked at ({low} to {high} per point): look "
            "further back.",
            "Die Wirkung hängt davon ab, wie viele Wochen Verzögerung man betrachtet ({low} bis {high} je Punkt): "
            "weiter zurückblicken.",
        ),
    },
    "controls": {
        "note": (
            "With fewer controls the effect lies between {low} and {high} per point.",
            "Mit weniger Kontrollgrößen liegt die Wirkung zwischen {low} und {high} je Punkt.",
        ),
    },
    "split_half": {
        "passed": (
            "Two random halves of the respondents give the same effect without any survey variance ({other} per "
            "point).",
            "Zwei zufällige Hälften der Befragten ergeben ohne Stichprobenvarianz dieselbe Wirkung ({other} je Punkt).",
        ),
        "failed": (
            "Two random halves of the respondents give another effect ({other} per point): the survey variances "
            "are wrong.",
            "Zwei zufällige Hälften der Befragten ergeben eine andere Wirkung ({other} je Punkt): die "
            "Stichprobenvarianzen stimmen nicht.",
        ),
    },
    "uncorrected": {
        "note": (
            "Without the correction for survey noise the effect would be said to be {fe} instead of {eiv} per point.",
            "Ohne Bereinigung um das Rauschen der Befragung käme {fe} statt {eiv} je Punkt heraus.",
        ),
    },
    "negative_outcome": {
        "passed": (
            "What the experience cannot change does not follow it.",
            "Was das Erlebnis nicht ändern kann, folgt ihm nicht.",
        ),
        "failed": (
            "Even what the experience cannot change follows it ({effect} per point): something else moves both.",
            "Selbst was das Erlebnis nicht ändern kann, folgt ihm ({effect} je Punkt): etwas anderes bewegt beide.",
        ),
    },
    "hidden_factor": {
        "passed": (
            "An unseen factor would have to explain {rv} of what is left of both experience and demand to take "
            "the effect away; one as strong as {control} would leave {left} per point.",
            "Ein ungesehener Faktor müsste {rv} des Rests von Erlebnis und Nachfrage erklären, um die Wirkung "
            "aufzuheben; einer so stark wie {control} ließe {left} je Punkt übrig.",
        ),
        "failed": (
            "An unseen factor as strong as {control} would take the effect away ({left} per point left; "
            "robustness {rv}).",
            "Ein ungesehener Faktor so stark wie {control} höbe die Wirkung auf ({left} je Punkt übrig; "
            "Robustheit {rv}).",
        ),
        "unbounded": (
            "What {control} explains of the experience is too strong for an unseen factor like it to be bounded: it "
            "could take the effect away (robustness {rv}).",
            "Was {control} am Erlebnis erklärt, ist zu stark, um einen ungesehenen Faktor dieser Art zu begrenzen: Er "
            "könnte die Wirkung aufheben (Robustheit {rv}).",
        ),
        "bare": (
            "An unseen factor would have to explain {rv} of what is left of both experience and demand to take "
            "the effect away; there is no control to compare with.",
            "Ein ungesehener Faktor müsste {rv} des Rests von Erlebnis und Nachfrage erklären, um die Wirkung "
            "aufzuheben; zum Vergleich fehlt eine Kontrollgröße.",
        ),
    },
    "forecast": {
        "note": (
            "The newest weeks are forecast {gain} better with the score than without: it explains demand and "
            "hardly forecasts it.",
            "Die jüngsten Wochen werden mit dem Wert um {gain} besser vorhergesagt als ohne: er erklärt Nachfrage"
            " und sagt sie kaum vorher.",
        ),
        "short": (
            "The time is too short to forecast its newest weeks.",
            "Die Zeit ist zu kurz, um ihre jüngsten Wochen vorherzusagen.",
        ),
    },
    "splits": {
        "passed": (
            "Groups of units do not differ beyond chance ({groups} compared).",
            "Gruppen von Einheiten unterscheiden sich nicht über den Zufall hinaus ({groups} verglichen).",
        ),
        "failed": (
            "At least one of {groups} groups of units has an effect of its own.",
            "Mindestens eine von {groups} Gruppen von Einheiten hat eine eigene Wirkung.",
        ),
    },
    "scope": {
        "note": (
            "Scope: between units; demand that units take from each other counts as gained and is not removed. "
            "The shop's own series, far less sharp, allow {low} to {high} per point; the panel says {eiv}.",
            "Geltung: zwischen Einheiten; Nachfrage, die Einheiten einander nehmen, zählt als gewonnen und ist "
            "nicht herausgerechnet. Die Reihen des ganzen Shops, weit unschärfer, lassen {low} bis {high} je Punkt zu; "
            "das Panel sagt {eiv}.",
        ),
    },
    "scope_apart": {
        "open": (
            "Scope: between units, not for the shop as a whole: its own series keep {share} of the effect only ({shop} "
            "per point, 95%: {low} to {high}; the panel {eiv}). Units seem to take demand from each other.",
            "Geltung: zwischen Einheiten, nicht für den ganzen Shop: Dessen eigene Reihen behalten nur {share} der "
            "Wirkung ({shop} je Punkt, 95 %: {low} bis {high}; das Panel {eiv}). Einheiten scheinen einander Nachfrage "
            "zu nehmen.",
        ),
    },
}
