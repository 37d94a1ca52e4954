using 'main.bicep'

param environmentName = 'private'
param location = 'swedencentral'
param alertEmail = 'operator@example.com'
param privateNetwork = true
param ownStorage = true
param openAiFurtherLocations = 'eastus2, WestUS3'
param appSettings = 'MAX_ATTEMPTS=5; RESULT_FORMATS=csv,xlsx;NOTIFY_URL=https://example.com/hook?a=b%3Bc%22d%25'
