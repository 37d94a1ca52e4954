// The private network: storage and the Azure OpenAI accounts are reached by private endpoints, from the app's subnet.
// The function app itself stays reachable, as Event Grid delivers to public addresses only.
param token string
param location string
param tags object
param storageId string
@description('The accounts made here; an existing account keeps the network that it has.')
param openAiIds array

var storageServices = [
  'blob'
  'queue'
  'table'
]

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: 'vnet-${token}'
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        '10.0.0.0/16'
      ]
    }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: '10.0.1.0/24'
          // Telemetry, and a notice's address, lie on the internet.
          defaultOutboundAccess: true
          delegations: [
            {
              name: 'flex-consumption'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: '10.0.2.0/24'
          defaultOutboundAccess: false
        }
      }
    ]
  }
}

resource storageZones 'Microsoft.Network/privateDnsZones@2024-06-01' = [for service in storageServices: {
  name: 'privatelink.${service}.${environment().suffixes.storage}'
  location: 'global'
  tags: tags
}]

resource storageZoneLinks 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [for (service, index) in storageServices: {
  parent: storageZones[index]
  name: 'link-${service}'
  location: 'global'
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: network.id
    }
  }
}]

resource storageEndpoints 'Microsoft.Network/privateEndpoints@2024-05-01' = [for service in storageServices: {
  name: 'pe-${service}-${token}'
  location: location
  tags: tags
  properties: {
    subnet: {
      id: '${network.id}/subnets/endpoints'
    }
    privateLinkServiceConnections: [
      {
        name: service
        properties: {
          privateLinkServiceId: storageId
          groupIds: [
            service
          ]
        }
      }
    ]
  }
}]

resource storageRecords 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = [for (service, index) in storageServices: {
  parent: storageEndpoints[index]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: service
        properties: {
          privateDnsZoneId: storageZones[index].id
        }
      }
    ]
  }
}]

resource openAiZone 'Microsoft.Network/privateDnsZones@2024-06-01' = if (!empty(openAiIds)) {
  name: 'privatelink.openai.azure.com'
  location: 'global'
  tags: tags
}

resource openAiZoneLink 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = if (!empty(openAiIds)) {
  parent: openAiZone
  name: 'link-openai'
  location: 'global'
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: network.id
    }
  }
}

resource openAiEndpoints 'Microsoft.Network/privateEndpoints@2024-05-01' = [for id in openAiIds: {
  name: 'pe-${last(split(id, '/'))}'
  location: location
  tags: tags
  properties: {
    subnet: {
      id: '${network.id}/subnets/endpoints'
    }
    privateLinkServiceConnections: [
      {
        name: 'openai'
        properties: {
          privateLinkServiceId: id
          groupIds: [
            'account'
          ]
        }
      }
    ]
  }
}]

resource openAiRecords 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = [for (id, index) in openAiIds: {
  parent: openAiEndpoints[index]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: 'openai'
        properties: {
          privateDnsZoneId: openAiZone.id
        }
      }
    ]
  }
}]

output appSubnetId string = '${network.id}/subnets/app'
