"""The loop of one task: suggest, dispatch, record, score, tell, confirm. The only writer of a running task."""
