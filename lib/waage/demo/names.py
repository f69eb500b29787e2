"""Names, streets and towns of the simulated persons, as compact lists in order of frequency.

Mail domains end in .example (RFC 2606): nobody can be written to. Phone numbers are drawn at random in German form; one
may exist by chance, so nothing of this data is ever to be dialled.
"""


def _words(text: str) -> list[str]:
    return text.split()


FEMALE_OLD = _words(
    "Maria Ursula Monika Petra Elisabeth Sabine Renate Helga Karin Brigitte Ingrid Erika Andrea Gisela Claudia "
    "Susanne Gabriele Christa Christine Hildegard Anna Birgit Barbara Gerda Marion Heike Anneliese Martina "
    "Angelika Ilse Cornelia Ute Kerstin Silvia Edith Jutta Margarete Irmgard Elke Doris Manuela Hannelore Anja "
    "Inge Ulrike Bärbel Käthe"
)
FEMALE_YOUNG = _words(
    "Anna Julia Katharina Sarah Lisa Laura Lena Christina Stefanie Nicole Sandra Jennifer Melanie Nadine Jana "
    "Vanessa Franziska Hannah Lea Leonie Sophie Marie Johanna Jessica Nina Carolin Theresa Elif Ayşe Alina "
    "Michelle Kim Svenja Miriam Eva Paula Clara Emma Mia Charlotte Zoé Chiara Fatma Zeynep Merve Olga Aleksandra "
    "Agnieszka Mareike Wiebke Antje"
)
MALE_OLD = _words(
    "Peter Michael Thomas Wolfgang Klaus Hans Manfred Jürgen Andreas Stefan Bernd Werner Horst Frank Dieter Uwe "
    "Günter Karl Walter Herbert Rainer Martin Joachim Gerhard Heinz Helmut Norbert Ralf Matthias Jörg Detlef Georg "
    "Günther Ulrich Harald Reinhard Holger Karl-Heinz Hans-Jürgen Torsten Olaf Volker Rüdiger Götz Ingo Axel Kurt "
    "Erich Friedrich Lothar"
)
MALE_YOUNG = _words(
    "Christian Daniel Alexander Sebastian Jan Tobias Florian Markus Philipp Patrick David Benjamin Marcel Felix "
    "Tim Max Lukas Jonas Leon Paul Kevin Dennis Niklas Simon Fabian Moritz Julian Sven Björn Dominik Mehmet "
    "Mustafa Ali Emre Marvin Nico Robin Timo Jannik Lennart Hendrik Malte Sören Jakob Elias Noah Finn Piotr Igor "
    "Dmitri Karim Jean-Luc"
)
SURNAMES = _words(
    "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter Klein "
    "Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Schmitt Werner Schmitz Krause "
    "Meier Lehmann Schmid Schulze Maier Köhler Herrmann König Walter Mayer Huber Kaiser Fuchs Peters Lang Scholz "
    "Möller Weiß Jung Hahn Schubert Vogel Friedrich Keller Günther Frank Berger Winkler Roth Beck Lorenz Baumann "
    "Franke Albrecht Schuster Simon Ludwig Böhm Winter Kraus Martin Schumacher Krämer Vogt Stein Jäger Otto Sommer "
    "Groß Seidel Heinrich Brandt Haas Schreiber Graf Schulte Dietrich Ziegler Kuhn Kühn Pohl Engel Horn Busch "
    "Bergmann Thomas Voigt Sauer Arnold Wolff Pfeiffer Yılmaz Kaya Demir Öztürk Şahin Nowak Kowalski Wójcik Ivanov "
    "Petrov Nguyen Horvat Jovanović Rossi Silva Götz Förster Bröker Büttner Weiss Jürgens Thoma Böttcher Strauß "
    "Preuß"
)
SURNAME_HEADS = _words(
    "Alt Berg Birken Blumen Brink Buch Dorn Eich Eisen Fels Feld Gold Grün Hager Hasen Hein Hohen Kalt Kirch Klee "
    "Kron Lauten Linden Mühl Neu Nieder Ober Oster Rauten Rosen Sand Schön Silber Sonn Stein Stern Stroh Tannen "
    "Unter Wald Wasser Wein Wester Wiesen Winkel Wirth Ziegel Zorn"
)
SURNAME_TAILS = _words("bach berg berger feld haus hof hofer kamp mann meier meyer müller rich stein thal wald")

_STREET_HEADS = {
    "straße": "Haupt Schul Garten Bahnhof Dorf Berg Linden Kirch Wald Ring Schiller Goethe Jahn Feld Mozart Beethoven "
    "Blumen Industrie Post Bach Schloss Park Nord Süd Ost West Friedhof Hoch Mittel Burg Kloster Brunnen Mühl "
    "Rathaus See Ufer Sonnen Kant Lessing Uhland Luther Kepler Röntgen Diesel Siemens Bäcker Jäger Römer",
    "weg": "Birken Wiesen Mühlen Amsel Finken Rosen Ahorn Eichen Tannen Lerchen Buchen Erlen Ulmen Fichten Stein "
    "Flieder Tulpen Nelken Drossel Meisen Töpfer Schäfer Grüner_ Höhen",
    "platz": "Markt Kirch Schloss",
    "allee": "Kastanien Linden Königs",
    " Straße": "Kurze Lange Breite Bremer Kölner Münchner",
    "": "Am_Anger Im_Winkel An_der_Mühle Auf_dem_Hügel Am_Stadtpark Zum_Brühl",
}
STREETS = [
    (head + ending).replace("_w", " W").replace("_", " ")
    for ending, heads in _STREET_HEADS.items()
    for head in heads.split()
]

# name, postcode prefix, digits that vary, dialling code; one region a line
TOWNS = {
    "city": "Berlin 10 3 30;Hamburg 20 3 40;München 80 3 89;Köln 50 3 221;Frankfurt am Main 60 3 69;"
    "Stuttgart 70 3 711;Düsseldorf 40 3 211;Leipzig 04 3 341;Dortmund 44 3 231;Essen 45 3 201;"
    "Bremen 28 3 421;Dresden 01 3 351;Hannover 30 3 511;Nürnberg 90 3 911;Münster 481 2 251;"
    "Karlsruhe 76 3 721",
    "suburb": "Norderstedt 2284 1 40;Pinneberg 2542 1 4101;Dachau 8522 1 8131;Fürth 907 2 911;Neuss 414 2 2131;"
    "Ratingen 408 2 2102;Falkensee 1461 1 3322;Bernau bei Berlin 1632 1 3338;Garbsen 308 2 5137;"
    "Böblingen 710 2 7031;Esslingen am Neckar 737 2 711;Hürth 503 2 2233;Offenbach am Main 630 2 69;"
    "Markkleeberg 0441 1 341;Radebeul 0144 1 351;Delmenhorst 277 2 4221;Herne 446 2 2323;"
    "Freising 8535 1 8161;Lünen 445 2 2306;Ettlingen 7627 1 7243",
    "country": "Husum 2581 1 4841;Aurich 2660 1 4941;Cloppenburg 4966 1 4471;Höxter 3767 1 5271;"
    "Bad Berleburg 5731 1 2751;Bitburg 5463 1 6561;Prüm 5459 1 6551;Tauberbischofsheim 9794 1 9341;"
    "Crailsheim 7456 1 7951;Sigmaringen 7248 1 7571;Mühldorf am Inn 8445 1 8631;Regen 9420 1 9921;"
    "Weiden in der Oberpfalz 9263 1 961;Hof 950 2 9281;Pößneck 0738 1 3647;Görlitz 028 2 3581;"
    "Prenzlau 1729 1 3984;Waren (Müritz) 1719 1 3991;Salzwedel 2941 1 3901;Eschwege 3726 1 5651;"
    "Emden 267 2 4921;Kyritz 1686 1 33971;Füssen 8762 1 8362;Schwäbisch Gmünd 735 2 7171",
}

MAIL_DOMAINS = _words(
    "postkasten.example netzpost.example mailhaus.example briefbote.example t-postfach.example schreibmir.example "
    "funkpost.example heimnetz.example mail-nord.example blitzpost.example uni-mail.example"
)
