// The function app on Flex Consumption: it costs nothing while it does nothing, and scales by itself.
param name string
param location string
param tags object
param identityId string
param identityClientId string
param storageName string
param insightsConnectionString string
@description('The subnet through which the app reaches private endpoints; empty: none.')
param subnetId string
param openAiEndpoint string
param deploymentName string
@description('The names of containers, queues and the table.')
param names object
param pollSchedule string
param ownStorage bool
param maximumInstanceCount int
param instanceMemoryMB int
param extraSettings object

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: storageName
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'functions' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    // Flex Consumption refuses most of what an older plan takes here, ftpsState among it; it has no FTP.
    siteConfig: {
      minTlsVersion: '1.2'
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${names.package}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      scaleAndConcurrency: {
        maximumInstanceCount: maximumInstanceCount
        instanceMemoryMB: instanceMemoryMB
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
    }
  }
}

// Deployments go by Entra ID; user name and password are off.
resource noFtpPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noScmPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

resource settings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: union(
    {
      AzureWebJobsStorage__blobServiceUri: storage.properties.primaryEndpoints.blob
      AzureWebJobsStorage__queueServiceUri: storage.properties.primaryEndpoints.queue
      AzureWebJobsStorage__tableServiceUri: storage.properties.primaryEndpoints.table
      AzureWebJobsStorage__credential: 'managedidentity'
      AzureWebJobsStorage__clientId: identityClientId
      APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
      // Else the exporter keeps five traces a second, and drops the log lines of all others.
      OTEL_TRACES_SAMPLER: 'microsoft.fixed_percentage'
      OTEL_TRACES_SAMPLER_ARG: '1.0'
      BatchStorage__blobServiceUri: storage.properties.primaryEndpoints.blob
      BatchStorage__queueServiceUri: storage.properties.primaryEndpoints.queue
      BatchStorage__tableServiceUri: storage.properties.primaryEndpoints.table
      BatchStorage__credential: 'managedidentity'
      BatchStorage__clientId: identityClientId
      AZURE_CLIENT_ID: identityClientId
      AZURE_OPENAI_ENDPOINT: openAiEndpoint
      AZURE_OPENAI_DEPLOYMENT: deploymentName
      PROMPTS_CONTAINER: names.prompts
      RESULTS_CONTAINER: names.results
      WORK_CONTAINER: names.work
      JOBS_TABLE: names.table
      SUBMISSIONS_QUEUE: names.submissions
      COMPLETIONS_QUEUE: names.completions
      PROMPTS_TRIGGER_SOURCE: 'EventGrid'
      POLL_SCHEDULE: pollSchedule
      BATCH_TRANSFER: ownStorage ? 'storage' : 'upload'
    },
    extraSettings
  )
}

output name string = app.name
output hostName string = app.properties.defaultHostName
