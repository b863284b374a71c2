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
