"""All words of the personas, English and German side by side; a German clause may put its verb before the subject."""

#: Construct: label of a type, what is wanted, what to do where it is strong, what not to do where it is weak.
CONSTRUCTS = {
    "price": (
        *("Price-aware shoppers", "Preisbewusste", "a good price", "ein guter Preis"),
        *("Lead with price and savings.", "Preis und Ersparnis nach vorn stellen."),
        *("Do not open with discounts.", "Nicht mit Rabatten eröffnen."),
    ),
    "inspiration": (
        *("Discoverers", "Entdeckungsfreudige", "inspiration", "Inspiration"),
        *("Show what is new, with pictures and looks.", "Neues zeigen, mit Bildern und Looks."),
        *("Do not bury the product in inspiration.", "Das Produkt nicht unter Inspiration vergraben."),
    ),
    "speed": (
        *("Shoppers in a hurry", "Eilige", "speed", "Schnelligkeit"),
        *("Keep it short: few steps, date of delivery first.", "Kurz halten: wenige Schritte, Liefertermin zuerst."),
        *("Do not argue with fast delivery.", "Nicht mit schneller Lieferung argumentieren."),
    ),
    "quality": (
        *("Quality seekers", "Qualitätsbewusste", "quality", "Qualität"),
        *("Tell of material, durability and care.", "Von Material, Haltbarkeit und Pflege erzählen."),
        *("Do not argue with durability alone.", "Nicht allein mit Haltbarkeit argumentieren."),
    ),
    "family": (
        *("Family shoppers", "Familienmenschen", "the family", "die Familie"),
        *("Show what helps a household with others in it.", "Zeigen, was im Haushalt mit anderen hilft."),
        *("Do not assume that they shop for others.", "Nicht unterstellen, dass sie für andere einkaufen."),
    ),
    "advice": (
        *("Advice seekers", "Beratungssuchende", "advice", "Beratung"),
        *("Offer advice: in the store, by chat, by phone.", "Beratung anbieten: in der Filiale, im Chat, am Telefon."),
        *("Do not insist on a talk.", "Kein Gespräch aufdrängen."),
    ),
    "ease": (
        *("Convenience seekers", "Unkomplizierte", "convenience", "Bequemlichkeit"),
        *("Make ordering and returning visibly easy.", "Bestellen und Zurückgeben sichtbar einfach machen."),
        *("Do not argue with convenience alone.", "Nicht allein mit Bequemlichkeit argumentieren."),
    ),
}

#: Columns of behaviour: topic, form, name; see `CLAUSES` for how they are told.
BEHAVIOUR = {
    "orders_per_year": ("rhythm", "times", "Orders per year", "Bestellungen pro Jahr"),
    "order_value": ("rhythm", "money", "Value of an order", "Bestellwert"),
    "return_share": ("kpis", "part", "Share returned", "Retourenquote"),
    "recency_days": ("kpis", "days", "Days since the last order", "Tage seit der letzten Bestellung"),
    "frequency": ("kpis", "number", "Orders so far", "Bestellungen bisher"),
    "monetary": ("kpis", "money", "Net revenue so far", "Umsatz nach Retouren bisher"),
    "tenure_days": ("kpis", "days", "Days since the first order", "Tage seit der ersten Bestellung"),
    "items_per_order": ("kpis", "number", "Items per order", "Artikel je Bestellung"),
    "item_price": ("kpis", "money", "Price of an item", "Preis eines Artikels"),
    "categories_bought": ("assortment", "number", "Categories bought", "Gekaufte Sortimente"),
    "discount_share": ("kpis", "part", "Share of discounts", "Rabattquote"),
    "coupon_share": ("kpis", "share", "Orders with a coupon", "Bestellungen mit Gutschein"),
    "partner_share": ("assortment", "part", "Share of partner brands", "Anteil der Partneranbieter"),
    "weekend_share": ("timing", "share", "Orders at weekends", "Bestellungen am Wochenende"),
    "evening_share": ("timing", "share", "Orders in the evening", "Bestellungen am Abend"),
    "app_share": ("channels", "share", "Visits in the app", "Besuche in der App"),
    "mobile_share": ("channels", "share", "Visits by phone", "Besuche mit dem Handy"),
    "visits": ("kpis", "number", "Visits in 12 months", "Besuche in 12 Monaten"),
    "views_per_visit": ("kpis", "number", "Products viewed a visit", "Angesehene Produkte je Besuch"),
    "searches_per_visit": ("kpis", "number", "Searches a visit", "Suchen je Besuch"),
    "carts_per_visit": ("kpis", "number", "Put into the cart a visit", "In den Korb gelegt je Besuch"),
    "opens": ("kpis", "number", "Newsletters opened", "Geöffnete Newsletter"),
    "clicks": ("kpis", "number", "Newsletter clicks", "Newsletter-Klicks"),
    "scans": ("kpis", "number", "Scans in stores", "Scans in Filialen"),
}
PREFIXES = {
    "category_": ("assortment", "part", "Share of {}", "Anteil {}"),
    "channel_": ("channels", "share", "Orders: {}", "Bestellungen: {}"),
    "maxdiff_": ("motives", "score", "Most important: {}", "Am wichtigsten: {}"),
    "reason_": ("pains", "thing", "Reason: {}", "Grund: {}"),
}

#: Subject, verb, rest; {q} is the rounded value, {x} the name after the colon, the level or the category.
CLAUSES = {
    "statement": (("{q}", "say", "“{x}”"), ("{q}", "sagen", "„{x}“")),
    "stress": (("{q}", "stress", "“{x}”"), ("{q}", "betonen", "„{x}“")),
    "interests": (("{q}", "are interested in", "{x}"), ("{q}", "interessieren sich", "für {x}")),
    "thing": (("{q}", "name", "“{x}”"), ("{q}", "nennen", "„{x}“")),
    "thing_numeric": (
        ("{q} of what they report", "concerns", "“{x}”"),
        ("{q} dessen, was sie melden,", "betreffen", "„{x}“"),
    ),
    "word": (("{q}", "write of", "“{x}” in their comments"), ("{q}", "schreiben", "in Kommentaren von „{x}“")),
    "level": (("{q}", "belong to the group", "“{x}”"), ("{q}", "gehören", "zur Gruppe „{x}“")),
    "score": (("{x}", "ranks", "{far} {higher}"), ("{x}", "steht", "{far} {higher}")),
    "age_group": (("{q}", "are", "{x} years old"), ("{q}", "sind", "{x} Jahre alt")),
    "household_size": (
        ("{q}", "live", "in a household of {x}"),
        ("{q}", "leben", "in einem Haushalt mit {x} Personen"),
    ),
    "household_size=1": (("{q}", "live", "alone"), ("{q}", "leben", "allein")),
    "gender": (("{q}", "are", "{x}"), ("{q}", "sind", "{x}")),
    "occupation": (("{q}", "are", "{x}"), ("{q}", "sind", "{x}")),
    "orders_per_year": (("they", "order", "{q} a year"), ("sie", "bestellen", "{q} im Jahr")),
    "order_value": (("an order", "is worth", "{q}"), ("eine Bestellung", "ist", "{q} wert")),
    "recency_days": (("their last order", "was", "{q} ago"), ("die letzte Bestellung", "liegt", "{q} zurück")),
    "tenure_days": (("their first order", "was", "{q} ago"), ("die erste Bestellung", "liegt", "{q} zurück")),
    "return_share": (
        ("{q} of the value they order", "comes", "back"),
        ("{q} des bestellten Werts", "gehen", "zurück"),
    ),
    "coupon_share": (
        ("{q} of their orders", "use", "a coupon"),
        ("{q} ihrer Bestellungen", "nutzen", "einen Gutschein"),
    ),
    "partner_share": (
        ("{q} of what they spend", "goes", "to partner brands"),
        ("{q} ihrer Ausgaben", "entfallen", "auf Partneranbieter"),
    ),
    "weekend_share": (
        ("{q} of their orders", "fall", "on a weekend"),
        ("{q} ihrer Bestellungen", "fallen", "auf ein Wochenende"),
    ),
    "evening_share": (
        ("{q} of their orders", "are placed", "in the evening"),
        ("{q} ihrer Bestellungen", "gehen", "am Abend ein"),
    ),
    "app_share": (("{q} of their visits", "use", "the app"), ("{q} ihrer Besuche", "laufen", "über die App")),
    "mobile_share": (("{q} of their visits", "come", "from a phone"), ("{q} ihrer Besuche", "kommen", "vom Handy")),
    "channel_web": (
        ("{q} of their orders", "are placed", "in the web shop"),
        ("{q} ihrer Bestellungen", "gehen", "im Onlineshop ein"),
    ),
    "channel_app": (
        ("{q} of their orders", "are placed", "in the app"),
        ("{q} ihrer Bestellungen", "gehen", "in der App ein"),
    ),
    "channel_online": (
        ("{q} of their orders", "are placed", "online"),
        ("{q} ihrer Bestellungen", "gehen", "online ein"),
    ),
    "channel_store": (
        ("{q} of their purchases", "are made", "in a store"),
        ("{q} ihrer Einkäufe", "finden", "in der Filiale statt"),
    ),
    "channel_": (
        ("{q} of their orders", "come", "through “{x}”"),
        ("{q} ihrer Bestellungen", "laufen", "über „{x}“"),
    ),
    "category_": (("{q} of what they spend", "goes", "to {x}"), ("{q} ihrer Ausgaben", "entfallen", "auf {x}")),
    "number": (("“{x}”", "comes", "to {q}"), ("der Wert für „{x}“", "liegt", "bei {q}")),
}

#: How a sentence on a topic begins after the first.
LEADS = {
    "life": ("", ""),
    "everyday": ("In everyday life", "Im Alltag"),
    "interests": ("Beyond shopping", "Neben dem Einkaufen"),
    "motives": ("When it comes to shopping", "Beim Einkaufen"),
    "channels": ("In practice", "In der Praxis"),
    "timing": ("As for timing", "Zeitlich gesehen"),
    "rhythm": ("Taken together", "Alles in allem"),
    "assortment": ("In the basket", "Im Warenkorb"),
    "pains": ("Asked for reasons", "Nach Gründen gefragt"),
    "kpis": ("Besides", "Außerdem"),
}

#: Least index of the band (mirrored below 80), words for more often and for less often.
BANDS = (
    (200, "at least twice as often as", "mindestens doppelt so häufig wie", "at most half as often as",
     "höchstens halb so häufig wie"),
    (150, "clearly more often than", "deutlich häufiger als", "clearly less often than", "deutlich seltener als"),
    (120, "more often than", "häufiger als", "less often than", "seltener als"),
)  # fmt: skip
#: Least distance in standard deviations (judgement after Cohen 1988), adverbs.
DISTANCES = ((0.8, "far", "viel"), (0.5, "clearly", "deutlich"), (0.0, "somewhat", "etwas"))
#: How many times the smaller of type and base the larger is at least, for the same words; a mean gets the weaker one.
RATIOS = (1.5, 1.2, 0.0)
#: Whom a type is compared with, at the first mention and at every other: as a noun, and after "than".
EVERYBODY = {
    "those": (("customers overall", "Kund:innen insgesamt"), ("the average", "der Durchschnitt")),
    "to": (("from customers overall", "zu Kund:innen insgesamt"), ("from the average", "zum Durchschnitt")),
    "who": (("customers overall", "Kund:innen insgesamt"), ("average", "im Durchschnitt")),
    "of": (("among customers overall", "bei Kund:innen insgesamt"), ("average", "im Durchschnitt")),
}
WORDS = {
    "than": ("{far} {more} than {of}", "{far} {more} als {of}"),
    "more": ("more", "mehr"),
    "less": ("less", "weniger"),
    "higher": ("higher", "weiter oben"),
    "lower": ("lower", "weiter unten"),
    "same": ("much like {those}", "ähnlich wie {of}"),
    "small": ("little different from {those}", "wenig anders als {of}"),
    "unsure": ("with no certain difference {to}", "ohne gesicherten Unterschied {to}"),
    "probably": ("probably {}", "vermutlich {}"),
    "about": ("about {}", "etwa {}"),
    "in_ten": ("about {} in 10", "etwa {} von 10"),
    "one": ("about 1 in 10", "etwa 10 von 100"),
    "five": ("about 5 in 100", "etwa 5 von 100"),
    "few": ("fewer than 5 in 100", "weniger als 5 von 100"),
    "half": ("about half", "etwa 5 von 10"),
    "all": ("nearly all", "fast alle"),
    "times": ("{} times", "{}-mal"),
    "once": ("once", "einmal"),
    "rarely": ("less than once", "weniger als einmal"),
    "days": ("{} days", "{} Tage"),
    "evidence": (
        "{value} ({low} to {high}); all customers {base}; {index}n = {n}; {sure}",
        "{value} ({low} bis {high}); alle Kund:innen {base}; {index}n = {n}; {sure}",
    ),
    "index": ("index {} ({} to {}); ", "Index {} ({} bis {}); "),
    "q": ("q = {}", "q = {}"),
    "q_small": ("q < 0.001", "q < 0,001"),
    "hidden": ("hidden: too few answers", "verdeckt: zu wenige Antworten"),
    "composite": ("Composite of {} customers", "Verdichtet aus {} Kund:innen"),
    "composite_hidden": ("Composite of customers, number hidden", "Verdichtet aus Kund:innen, Zahl verdeckt"),
    "mixed": ("mixed", "gemischt"),
    "mixed_life": ("Their life situation is mixed: {}", "Ihre Lebenssituation ist gemischt: {}"),
    "nothing": (
        "Nothing can be said of this group with certainty: too few persons, or too little is known of them.",
        "Über diese Gruppe lässt sich nichts gesichert sagen: zu wenige Personen, oder zu wenig ist bekannt.",
    ),
    "group": ("Group {}", "Gruppe {}"),
    "rating": ("Satisfaction: {}", "Zufriedenheit: {}"),
    "written": ("In comments: {}", "In Kommentaren: {}"),
    "label_other": ("Stands out: {}", "Auffällig: {}"),
    "and": ("{} and {}", "{} und {}"),
    "against_truth": (
        "With everybody's true type known, {large} differences in shares lie beyond the rules and would be told by "
        "this sample with a probability of 90% or more: {found} of them are told. Of all {said} that are told, {false} "
        "change their sign. This tests the sorting into types; the respondents, and chance among them, are the same.",
        "Wäre der wahre Typ aller bekannt, lägen {large} Unterschiede in Anteilen jenseits der Regeln, die diese "
        "Stichprobe mit mindestens 90 % Wahrscheinlichkeit zeigt: {found} davon werden gesagt. Von allen {said} "
        "gesagten wechseln {false} das Vorzeichen. Das prüft die Zuordnung zu Typen; die Befragten, und der Zufall "
        "unter ihnen, sind dieselben.",
    ),
    "or_more": ("{} or more", "{} oder mehr"),
    "types": ("Types from survey and behaviour", "Typen aus Befragung und Verhalten"),
    "segments": (
        "RFM segments in place of types: no survey carries any",
        "RFM-Segmente statt Typen: Keine Befragung trägt welche",
    ),
}

#: What to do and not to do where a topic has no construct: over-represented, under-represented.
ADVICE = {
    "everyday": (
        ("Speak to their day: “{x}”.", "An ihrem Alltag anknüpfen: „{x}“."),
        ("Do not assume: “{x}”.", "Nicht voraussetzen: „{x}“."),
    ),
    "interests": (
        ("Pick up their interest in {x}.", "Ihr Interesse aufgreifen: {x}."),
        ("Do not count on an interest in {x}.", "Nicht auf dieses Interesse setzen: {x}."),
    ),
    "motives": (
        ("Answer to “{x}”.", "Eingehen auf „{x}“."),
        ("Do not rely on “{x}”.", "Nicht setzen auf „{x}“."),
    ),
    "pains": (
        ("Address openly: {x}.", "Offen ansprechen: {x}."),
        ("Do not make it a topic unasked: {x}.", "Nicht ungefragt zum Thema machen: {x}."),
    ),
    "channels": (
        ("Reach them here: {x}.", "Hier erreichen: {x}."),
        ("Not the place to wait for them: {x}.", "Nicht hier auf sie warten: {x}."),
    ),
    "timing": (
        ("Time it to suit: {x}.", "Zeitlich passend: {x}."),
        ("Not the moment: {x}.", "Nicht der Moment: {x}."),
    ),
    "assortment": (
        ("Put forward: {x}.", "Nach vorn stellen: {x}."),
        ("Do not open with: {x}.", "Nicht eröffnen mit: {x}."),
    ),
}

LEVELS = {
    "f": ("women", "Frauen"),
    "m": ("men", "Männer"),
    "d": ("diverse", "divers"),
    "female": ("women", "Frauen"),
    "male": ("men", "Männer"),
    "employed": ("employed", "angestellt"),
    "self-employed": ("self-employed", "selbstständig"),
    "civil servant": ("civil servants", "verbeamtet"),
    "in training": ("in training", "in Ausbildung"),
    "at home": ("at home", "zu Hause tätig"),
    "retired": ("retired", "im Ruhestand"),
    "looking for work": ("looking for work", "auf Arbeitssuche"),
    "women": ("women", "Frauen"),
    "men": ("men", "Männer"),
}

#: Categories of goods.
GOODS = {
    "women": ("women's fashion", "Damenmode"),
    "men": ("men's fashion", "Herrenmode"),
    "kids": ("kids' wear", "Kindermode"),
    "home": ("home", "Wohnen"),
    "furniture": ("furniture", "Möbel"),
    "electronics": ("electronics", "Elektronik"),
    "beauty": ("beauty", "Pflege und Kosmetik"),
    "sports": ("sports", "Sport"),
}

#: First names that say neither sex nor origin nor age for sure; no type owns one.
FIRST_NAMES = ("Kim", "Robin", "Alex", "Toni", "Luca", "Mika", "Charlie", "Noa", "Sam", "Jona", "Sascha", "Chris")

RECOGNISE = {
    "rule": (
        "The higher {up}, the likelier it is this type{down}.",
        "Je höher {up}, desto eher ist es dieser Typ{down}.",
    ),
    "down": ("; a high {down} speaks against it", "; dagegen spricht viel {down}"),
    "only_down": ("What speaks against this type: {down}.", "Gegen diesen Typ spricht: {down}."),
    "trees": (
        "Decision trees tell this type; they ask most often for {up}.",
        "Entscheidungsbäume erkennen diesen Typ; am häufigsten fragen sie nach: {up}.",
    ),
    "none": ("Behaviour does not tell this type.", "Am Verhalten ist dieser Typ nicht zu erkennen."),
    "forced": (
        "Behaviour does not carry this typology; customers have types all the same (force_types): "
        "act on no single one.",
        "Verhalten trägt diese Typologie nicht; Kund:innen haben trotzdem Typen (force_types): auf keinen einzelnen "
        "bauen.",
    ),
    "closed": (
        "Behaviour does not carry this typology; no customer is typed.",
        "Verhalten trägt diese Typologie nicht; kein Kunde wird typisiert.",
    ),
    "threshold": (
        "Take customers with p ≥ {p}: {right} of them ({low} to {high}) belong to the type, and {reached} of the type "
        "are reached.",
        "Kund:innen mit p ≥ {p} nehmen: {right} von ihnen ({low} bis {high}) gehören zum Typ, und {reached} des Typs "
        "werden erreicht.",
    ),
    "no_threshold": (
        "No threshold brings {right} or more of this type together from at least {n} customers.",
        "Keine Schwelle bringt aus mindestens {n} Kund:innen {right} oder mehr dieses Typs zusammen.",
    ),
}

TIMELINE = {
    "month": ("Month {}", "Monat {}"),
    "order": ("order of about {amount} ({what})", "Bestellung für etwa {amount} ({what})"),
    "what": ("mostly {}", "vor allem {}"),
    "few": (
        "No customer is shown: fewer than {} with this type resemble one another.",
        "Kein Kunde wird gezeigt: Weniger als {} dieses Typs ähneln einander.",
    ),
    "alike": (
        "A customer like at least {} others whose behaviour gives this type a probability of {} or more; months from "
        "the first order shown, amounts rounded.",
        "Ein Kunde wie mindestens {} andere, deren Verhalten diesem Typ eine Wahrscheinlichkeit ab {} gibt; Monate ab "
        "der ersten gezeigten Bestellung, Beträge gerundet.",
    ),
}
