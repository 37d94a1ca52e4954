// An Azure OpenAI account with one batch deployment. Entra ID only: its keys are off.
param name string
param location string
param tags object
param isPublic bool
param deploymentName string
param deploymentSku string
param capacity int
param dynamicQuota bool
param modelName string
param modelVersion string

resource account 'Microsoft.CognitiveServices/accounts@2025-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'OpenAI'
  sku: {
    name: 'S0'
  }
  // Own-storage mode works with the system-assigned identity only; by itself it has no right anywhere.
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    // Entra ID tokens are accepted under a custom subdomain only, and batches need one as well.
    customSubDomainName: name
    disableLocalAuth: true
    publicNetworkAccess: isPublic ? 'Enabled' : 'Disabled'
    networkAcls: {
      defaultAction: isPublic ? 'Allow' : 'Deny'
    }
  }
}

// In a union, as the published types call dynamicThrottlingEnabled read-only, which it is not:
// https://github.com/Azure/bicep-types-az/issues/2121
resource deployment 'Microsoft.CognitiveServices/accounts/deployments@2025-06-01' = {
  parent: account
  name: deploymentName
  sku: {
    name: deploymentSku
    capacity: capacity
  }
  properties: union(
    {
      model: {
        format: 'OpenAI'
        name: modelName
        version: modelVersion
      }
      versionUpgradeOption: 'NoAutoUpgrade'
    },
    dynamicQuota ? { dynamicThrottlingEnabled: true } : {}
  )
}

output name string = account.name
