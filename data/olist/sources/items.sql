-- One question with stars and two free texts. The stars say what the order was like: perception; nobody is asked for the goal.
SELECT 'feedback' AS instrument, item, kind, construct, label, label_de, scale_min, scale_max, best
FROM (
  VALUES
    ('score', 'scale', 'perception', 'Stars', 'Sterne', 1, 5, 'max'),
    ('comment', 'comment', NULL, 'Comment', 'Kommentar', NULL, NULL, NULL),
    ('title', 'comment', NULL, 'Title of the comment', 'Titel des Kommentars', NULL, NULL, NULL)
) AS items (item, kind, construct, label, label_de, scale_min, scale_max, best)
