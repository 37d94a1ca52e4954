using 'main.bicep'

param environmentName = 'plain'
param location = 'swedencentral'
param alertEmail = 'none'
