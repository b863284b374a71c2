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
  cause IN (1, 2) AND closed_on >= %s AND closed_on <= %s
ORDER BY
  deal_key;

SELECT
  COUNT(amount) AS n
FROM deals
WHERE
  cause = 1;
