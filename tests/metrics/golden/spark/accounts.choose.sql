SELECT
  COALESCE(i.account_id, i.account) AS account,
  i.account AS name,
  COUNT(*) AS n_deals,
  COALESCE(SUM(CASE WHEN d.cause = 1 THEN d.amount END), 0) AS won_amount
FROM deals AS d
JOIN details AS i
  ON i.deal_key = d.deal_key
WHERE
  NOT COALESCE(i.account_id, i.account) IS NULL
GROUP BY
  1,
  2;
