"""Workbooks that only calamine reads: .xls, .xlsb and .ods."""
