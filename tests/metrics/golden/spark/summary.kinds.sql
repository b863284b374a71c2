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
