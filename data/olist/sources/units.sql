-- Groups of categories; see order_lines.sql for what belongs to them.
SELECT unit, label, unit AS category
FROM (
  VALUES
    ('auto_tools', 'Car, garden and tools'),
    ('baby_toys', 'Baby and toys'),
    ('beauty', 'Beauty and health'),
    ('electronics', 'Computers, phones and electronics'),
    ('fashion', 'Fashion, bags and watches'),
    ('furniture', 'Furniture and decoration'),
    ('home_textiles', 'Bed, bath and table'),
    ('housewares', 'Housewares and appliances'),
    ('leisure', 'Books, office and gifts'),
    ('other', 'Everything else'),
    ('sports', 'Sports and leisure')
) AS units (unit, label)
