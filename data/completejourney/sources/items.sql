SELECT 'demographics' AS instrument, item, 'trait' AS kind, label, label_de
FROM (
  VALUES
    ('age', 'Age', 'Alter'),
    ('income', 'Household income', 'Haushaltseinkommen'),
    ('home_ownership', 'Home ownership', 'Wohneigentum'),
    ('marital_status', 'Marital status', 'Familienstand'),
    ('household_size', 'Household size', 'Haushaltsgröße'),
    ('household_comp', 'Household composition', 'Zusammensetzung des Haushalts'),
    ('kids_count', 'Children', 'Kinder')
) AS items (item, label, label_de)
