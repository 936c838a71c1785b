"""One attempt: deploy, wait ready, warm up, measure, tear down. Knows protocols, not products, and no database."""
