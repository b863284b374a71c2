SELECT DISTINCT
  segment
FROM deals;

SELECT
  segment,
  COUNT(*) AS n
FROM deals
WHERE
  status <> 'removed' AND created_on BETWEEN ? AND ?
GROUP BY
  1;

SELECT
  segment,
  COUNT(*) AS n
FROM deals
WHERE
  cause = 1 AND closed_on BETWEEN ? AND ?
GROUP BY
  1;
