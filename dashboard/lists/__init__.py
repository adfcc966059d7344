"""Lists of items: filters, pages, drill-downs and exports."""
