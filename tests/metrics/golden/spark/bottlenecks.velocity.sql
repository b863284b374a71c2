SELECT
  cause,
  exit_age,
  COUNT(*) AS n,
  SUM(amount) AS amount,
  COUNT(amount) AS n_amount
FROM deals
WHERE
  cause IN (1, 2) AND exit_age >= 0 AND days_since_created - exit_age < ?
GROUP BY
  1,
  2;

SELECT
  SUM(CASE WHEN status = 'open' THEN 1 ELSE 0 END) AS n_open,
  SUM(CASE WHEN status <> 'removed' AND days_since_created < ? THEN 1 ELSE 0 END) AS n_created,
  MAX(days_since_created) AS longest
FROM deals;
