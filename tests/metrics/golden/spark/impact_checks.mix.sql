SELECT
  s.team AS `group`,
  MIN(d.created_on) AS first_on,
  MAX(d.created_on) AS last_on
FROM deals AS d
JOIN starts AS s
  ON s.deal_key = d.deal_key
WHERE
  NOT s.team IS NULL
GROUP BY
  1;

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

SELECT
  d.deal_key,
  s.team AS `group`,
  s.owner,
  d.source,
  d.segment,
  d.product,
  d.created_on,
  d.exit_age,
  d.cause,
  d.days_since_created AS followed
FROM deals AS d
JOIN starts AS s
  ON s.deal_key = d.deal_key
WHERE
  NOT d.cause IS NULL AND NOT d.exit_age IS NULL AND d.created_on >= ?;

SELECT
  d.`region` AS `group`,
  MIN(d.created_on) AS first_on,
  MAX(d.created_on) AS last_on
FROM deals AS d
JOIN starts AS s
  ON s.deal_key = d.deal_key
WHERE
  NOT d.`region` IS NULL
GROUP BY
  1;

SELECT
  d.deal_key,
  d.`region` AS `group`,
  s.owner,
  d.source,
  d.segment,
  d.product,
  d.created_on,
  d.exit_age,
  d.cause,
  d.days_since_created AS followed
FROM deals AS d
JOIN starts AS s
  ON s.deal_key = d.deal_key
WHERE
  NOT d.cause IS NULL AND NOT d.exit_age IS NULL AND d.created_on >= ?;
