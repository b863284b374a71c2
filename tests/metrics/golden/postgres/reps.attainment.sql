SELECT
  holder_type,
  holder_id AS holder,
  period_start,
  period_end,
  SUM(value) AS quota
FROM quotas
WHERE
  measure = 'amount'
GROUP BY
  1,
  2,
  3,
  4;

SELECT
  'person' AS holder_type,
  c.person_id AS holder,
  d.closed_on AS closed_on,
  SUM(d.amount * c.share) AS amount
FROM credits AS c
JOIN deals AS d
  ON d.deal_key = c.deal_key
WHERE
  c.type = 'revenue' AND d.cause = 1
GROUP BY
  1,
  2,
  3
UNION ALL
SELECT
  'person' AS holder_type,
  owner AS holder,
  closed_on,
  SUM(amount) AS amount
FROM deals AS d
WHERE
  cause = 1
  AND NOT EXISTS(
    SELECT
      1
    FROM credits AS c
    WHERE
      c.deal_key = d.deal_key AND c.type = 'revenue'
  )
GROUP BY
  1,
  2,
  3
UNION ALL
SELECT
  'team' AS holder_type,
  team AS holder,
  closed_on,
  SUM(amount) AS amount
FROM deals
WHERE
  cause = 1
GROUP BY
  1,
  2,
  3;

SELECT
  person_id AS holder,
  name,
  hired_on,
  left_on
FROM people;
