SELECT
  COUNT(*) AS n
FROM details
WHERE
  NOT expected_close IS NULL
UNION ALL
SELECT
  COUNT(*) AS n
FROM changes
WHERE
  field = 'expected_close';
