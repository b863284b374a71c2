SELECT
  deal_key,
  closed_on,
  cause,
  amount,
  team,
  source,
  segment,
  product,
  region
FROM deals
WHERE
  cause IN (1, 2) AND closed_on >= ? AND closed_on <= ?
ORDER BY
  deal_key NULLS LAST;

SELECT
  COUNT(amount) AS n
FROM deals
WHERE
  cause = 1;

SELECT
  MIN(created_on) AS day
FROM deals
WHERE
  NOT cause IS NULL;

SELECT
  MIN(closed_on) AS day
FROM deals
WHERE
  cause IN (1, 2);

SELECT
  exit_age,
  CASE WHEN cause = 0 THEN 0 ELSE 1 END AS is_closed,
  COUNT(*) AS n
FROM deals
WHERE
  created_on >= ? AND NOT cause IS NULL
GROUP BY
  1,
  2;

SELECT
  created_on,
  COUNT(*) AS n
FROM deals
WHERE
  created_on < ? AND NOT cause IS NULL
GROUP BY
  1;
