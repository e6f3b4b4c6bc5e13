"""From a version that is wanted to a rollback that people can vote on."""
