// What the app may do at an Azure OpenAI account, new or existing; deployed into the account's own resource group.
param accountName string
param principalId string
param role string
param needsIdentity bool

// Files and batches, and nothing else: no inference, no fine-tuning, no deployments, no keys. The three groups of data
// actions are those that Microsoft's role documentation names; the built-in role would also let the app change and
// delete deployments (a right of the control plane).
var batchActions = [
  'Microsoft.CognitiveServices/accounts/OpenAI/batch-jobs/*'
  'Microsoft.CognitiveServices/accounts/OpenAI/batches/*'
  'Microsoft.CognitiveServices/accounts/OpenAI/files/*'
]
// Cognitive Services OpenAI Contributor
var contributorRoleId = 'a001fd3d-188f-4b5d-821b-7da978bf7442'

resource account 'Microsoft.CognitiveServices/accounts@2025-06-01' existing = {
  name: accountName
}

resource batchRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (role == 'BatchOnly') {
  name: guid(resourceGroup().id, accountName, 'structuredbatch-batch-only')
  properties: {
    roleName: 'StructuredBatch files and batches (${accountName})'
    description: 'Create, read and cancel batches and their files at an Azure OpenAI account.'
    type: 'CustomRole'
    assignableScopes: [
      resourceGroup().id
    ]
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: batchActions
        notDataActions: []
      }
    ]
  }
}

// The app creates, polls, cancels and collects batches.
resource batchAssignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (role == 'BatchOnly') {
  name: guid(account.id, principalId, 'batch-only')
  scope: account
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: batchRole.id
  }
}

// The same, where custom roles may not be made.
resource contributorAssignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (role != 'BatchOnly') {
  name: guid(account.id, principalId, contributorRoleId)
  scope: account
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', contributorRoleId)
  }
}

output accountId string = account.id
output accountPrincipalId string = needsIdentity ? account.identity.principalId : ''
output endpoint string = 'https://${account.properties.customSubDomainName}.openai.azure.com'
