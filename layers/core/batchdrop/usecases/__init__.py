"""What batchdrop does: one module and one public function for each step of a job."""
