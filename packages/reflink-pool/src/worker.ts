import '@platter/host/bulk-worker';
