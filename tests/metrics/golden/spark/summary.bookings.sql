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
  holder_type,
  holder_id AS holder,
  period_start,
  period_end,
  value
FROM quotas
WHERE
  measure = 'amount';

SELECT
  person_id AS person,
  name,
  team,
  role,
  manager_id AS manager,
  hired_on,
  left_on,
  valid_from
FROM people_history;

SELECT
  d.deal_key,
  c.person_id AS person,
  d.owner,
  d.team,
  d.closed_on AS won_on,
  c.share AS share,
  d.amount AS deal_amount,
  d.source,
  d.segment,
  d.product,
  d.region
FROM credits AS c
JOIN deals AS d
  ON d.deal_key = c.deal_key
WHERE
  c.type = 'revenue' AND d.cause = 1
UNION ALL
SELECT
  d.deal_key,
  d.owner AS person,
  d.owner,
  d.team,
  d.closed_on AS won_on,
  1.0 AS share,
  d.amount AS deal_amount,
  d.source,
  d.segment,
  d.product,
  d.region
FROM deals AS d
WHERE
  d.cause = 1
  AND NOT d.owner IS NULL
  AND NOT EXISTS(
    SELECT
      1
    FROM credits AS c
    WHERE
      c.deal_key = d.deal_key AND c.type = 'revenue'
  );

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
