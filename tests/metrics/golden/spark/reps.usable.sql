SELECT
  `source` AS `level`,
  COUNT(*) AS n
FROM deals
WHERE
  status <> 'removed' AND NOT owner IS NULL AND days_since_created >= ?
GROUP BY
  1;

SELECT
  `product` AS `level`,
  COUNT(*) AS n
FROM deals
WHERE
  status <> 'removed' AND NOT owner IS NULL AND days_since_created >= ?
GROUP BY
  1;
