SELECT
  d.deal_key,
  c.person_id AS person,
  d.owner,
  d.closed_on AS won_on,
  c.share
FROM credits AS c
JOIN deals AS d
  ON d.deal_key = c.deal_key
WHERE
  c.type = 'overlay' AND d.cause = 1
ORDER BY
  1 NULLS LAST,
  2 NULLS LAST;
