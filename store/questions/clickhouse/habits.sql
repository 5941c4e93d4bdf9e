-- What is ordinary for one identity of one tenant.
SELECT *
FROM identity_profile
WHERE tenant_id = {tenant_id:String} AND principal_id = {principal_id:String}
