SELECT
  COUNT(amount) AS n
FROM deals
WHERE
  cause = 1;
